using System.Data.Common;

namespace DbRetry.EFCore;

/// <summary>
/// A transaction was being committed when its connection was lost, and the server could not be made to say whether it is committed.
/// </summary>
/// <remarks>
/// Never retried, neither by this library nor, as <see cref="IsTransient"/> is <see langword="false"/>, by others that look at it. Look whether the
/// changes are there before repeating them.
/// </remarks>
public sealed class CommitOutcomeUnknownException : DbException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="host">The host that was asked to commit, without credentials; <see langword="null"/> if it is not known.</param>
    /// <param name="innerException">The failure that left the outcome open.</param>
    public CommitOutcomeUnknownException(string? host, Exception? innerException)
        : base(Describe(host), innerException)
        => Host = host;

    /// <summary>The host that was asked to commit; <see langword="null"/> if it is not known.</summary>
    public string? Host { get; }

    /// <summary>Always <see langword="false"/>: repeating the work could apply it twice.</summary>
    public override bool IsTransient => false;

    private static string Describe(string? host)
        => $"The connection to {host ?? "the database"} was lost while a transaction was being committed, and it could not be established whether the "
            + "transaction is committed. It was not repeated, because that could apply it twice. Look whether its changes are there before running it again.";
}
