namespace DbRetry.EFCore.Hosts.Targets;

/// <summary>What is known of the work for which a connection is opened, before it is.</summary>
internal enum WriteIntent
{
    /// <summary>Nothing: a query, or a transaction that may be about anything.</summary>
    None,

    /// <summary>It may write: a transaction that was not declared read-only, or SQL of the application's that does not look like a read.</summary>
    Possible,

    /// <summary>It writes.</summary>
    Certain,
}
