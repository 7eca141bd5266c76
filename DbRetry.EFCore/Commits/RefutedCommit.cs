namespace DbRetry.EFCore.Commits;

/// <summary>
/// A COMMIT of an earlier attempt that a server said is not in the history that survived. That holds for this history only: before the work is committed
/// in another one, which may have it, the question is asked again.
/// </summary>
/// <param name="Proof">Of the transaction.</param>
/// <param name="By">The server that said so.</param>
internal sealed record RefutedCommit(ICommitProof Proof, ServerIncarnation By)
{
    /// <summary>Whether a transaction on this server is in the history that was asked.</summary>
    internal bool HoldsOn(ServerIncarnation server) => server.HasNotRecoveredSince(By);
}
