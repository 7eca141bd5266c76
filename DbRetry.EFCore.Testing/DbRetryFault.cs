namespace DbRetry.EFCore.Testing;

/// <summary>A fault that was injected.</summary>
public sealed class DbRetryFault
{
    internal DbRetryFault(DbRetryFaultKind kind, int? statement, Type contextType)
    {
        Kind = kind;
        Statement = statement;
        ContextType = contextType;
    }

    /// <summary>What was done.</summary>
    public DbRetryFaultKind Kind { get; }

    /// <summary>
    /// The statement that was hit, counted from 1 within its transaction; 1 for a statement outside of one; <see langword="null"/> where it was COMMIT, or
    /// the transaction as a whole.
    /// </summary>
    public int? Statement { get; }

    /// <summary>The type of the context that was hit.</summary>
    public Type ContextType { get; }

    /// <summary>The fault in words.</summary>
    /// <returns>For example <c>Conflict at COMMIT of ShopContext</c>.</returns>
    public override string ToString()
    {
        var place = Statement is { } number ? $" at statement {number}" : Kind is DbRetryFaultKind.PrimaryDemoted ? string.Empty : " at COMMIT";
        return $"{Kind}{place} of {ContextType.Name}";
    }
}
