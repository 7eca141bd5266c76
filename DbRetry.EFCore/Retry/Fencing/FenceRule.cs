namespace DbRetry.EFCore.Retry.Fencing;

/// <summary>Decides which session is to be ended before work runs again.</summary>
internal static class FenceRule
{
    /// <summary>The session that a failed attempt may have left on its server; <see langword="null"/> if it left none.</summary>
    /// <param name="lost">What was in use when the connection was lost.</param>
    /// <param name="answer">What the server had said of the loss: a session that it ended itself is gone.</param>
    internal static ServerSession? LeftBehind(ServerSession? lost, ServerAnswer answer) => answer is ServerAnswer.Missing ? lost : null;

    /// <summary>Whether the session can be ended through the one that was opened in its place.</summary>
    /// <remarks>On another host the number is a stranger's, and one that the new session has been given is free again.</remarks>
    internal static bool CanEnd(ServerSession left, ServerSession now)
        => ReferenceEquals(left.Connection, now.Connection) && left.Host == now.Host && left.Port == now.Port && left.ProcessId != now.ProcessId;
}
