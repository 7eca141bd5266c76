namespace DbRetry.EFCore;

/// <summary>What the transaction of a scope may do.</summary>
public enum TransactionScopeMode
{
    /// <summary>It may read and write. In a scope inside another one: whatever the transaction may do already.</summary>
    ReadWrite,

    /// <summary><c>READ ONLY</c>: the server refuses every write (25006). Costs one round trip.</summary>
    ReadOnly,

    /// <summary>
    /// <c>SERIALIZABLE READ ONLY DEFERRABLE</c>: the first query waits until a snapshot is there with which the transaction cannot conflict with
    /// any other. For long reports and backups. Costs one round trip.
    /// </summary>
    ReadOnlyDeferrable,
}
