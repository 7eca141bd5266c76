namespace DbRetry.EFCore.Testing;

/// <summary>What <see cref="DbRetryFaults"/> can do to a unit.</summary>
public enum DbRetryFaultKind
{
    /// <summary>The connection breaks before a statement, or COMMIT, has reached the server.</summary>
    ConnectionLost,

    /// <summary>The server commits, and the connection breaks before its answer arrives.</summary>
    AcknowledgementLost,

    /// <summary>The server gives the transaction up for another one: a serialization failure or a deadlock.</summary>
    Conflict,

    /// <summary>The server takes no writes any more.</summary>
    PrimaryDemoted,
}
