namespace DbRetry.EFCore.Hosts.Probing;

/// <summary>A connection to a host, to ask what it is: once, or again and again.</summary>
internal interface IHostSession : IAsyncDisposable
{
    /// <summary>Whether its connection is one of the application's pool, where the application can use it.</summary>
    bool IsPooled { get; }

    /// <summary>What the host is now; <see langword="null"/> if any will do and it tells nothing.</summary>
    /// <param name="target">What is looked for.</param>
    /// <param name="limit">How long the answer may take.</param>
    /// <param name="cancellationToken">Ends the connection.</param>
    Task<HostSighting?> AskAsync(TargetSession target, TimeSpan limit, CancellationToken cancellationToken);
}
