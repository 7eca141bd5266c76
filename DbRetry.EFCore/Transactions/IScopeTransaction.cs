namespace DbRetry.EFCore.Transactions;

/// <summary>What the outermost scope does with the transaction that it began or found.</summary>
internal interface IScopeTransaction
{
    /// <summary>Whether the context still runs in it.</summary>
    bool IsCurrent { get; }

    /// <summary>Keeps the work of the scopes.</summary>
    void Complete();

    /// <inheritdoc cref="Complete"/>
    Task CompleteAsync(CancellationToken cancellationToken);

    /// <summary>Undoes the work of the scopes.</summary>
    void Undo();

    /// <inheritdoc cref="Undo"/>
    ValueTask UndoAsync();
}
