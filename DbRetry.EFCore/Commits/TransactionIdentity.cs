namespace DbRetry.EFCore.Commits;

/// <summary>What is noted of a transaction before its COMMIT, so that its outcome can be established on whichever server survives.</summary>
/// <param name="Xid">The top-level transaction id, with epoch; <see langword="null"/> when the transaction wrote nothing.</param>
/// <param name="InsertLsn">A WAL position behind the transaction's first record, and so behind the record that made its id known.</param>
/// <param name="Server">The incarnation of the server that runs it.</param>
/// <param name="ProcessId">The backend that runs it.</param>
internal sealed record TransactionIdentity(ulong? Xid, long InsertLsn, ServerIncarnation Server, int ProcessId);

/// <summary>What changes whenever a server recovered, be it after a crash or by promotion.</summary>
/// <param name="Timeline">The timeline that it writes.</param>
/// <param name="LastReplayLsn">How far the last recovery since its start replayed; <see langword="null"/> when there was none.</param>
/// <param name="StartedAt">When its postmaster started.</param>
internal readonly record struct ServerIncarnation(int Timeline, long? LastReplayLsn, DateTime StartedAt);
