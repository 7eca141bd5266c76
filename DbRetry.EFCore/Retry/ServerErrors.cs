using Npgsql;

namespace DbRetry.EFCore.Retry;

/// <summary>Reads what a server, or a pooler in its place, answered.</summary>
internal static class ServerErrors
{
    /// <param name="error">The answer.</param>
    /// <param name="opening">Whether it answered an attempt to connect.</param>
    internal static Failure Read(PostgresException error, bool opening)
    {
        // PostgreSQL names the function that raised an error in every ErrorResponse (elog.c, send_message_to_frontend); PgBouncer never does.
        var byPostgres = error.Routine is not null;
        var (kind, reason) = error.SqlState == SqlStateTable.ProtocolViolation && byPostgres
            ? new SqlStateRow(FailureKind.Permanent, "the server did not understand a message")
            : SqlStateTable.Find(error.SqlState);
        return new Failure(
            opening && kind == FailureKind.LostConnection ? FailureKind.HostUnavailable : kind,
            reason,
            error.SqlState,
            error,
            Answer(kind, byPostgres, error.InvariantSeverity));
    }

    private static ServerAnswer Answer(FailureKind kind, bool byPostgres, string severity)
    {
        var ended = severity is "FATAL" or "PANIC";
        return kind switch
        {
            FailureKind.OutcomeUnknown => ServerAnswer.Missing,

            // A pooler that speaks of lost connections, or hangs up, does not know what its server did.
            _ when !byPostgres && (ended || kind == FailureKind.LostConnection) => ServerAnswer.Missing,
            _ when ended => ServerAnswer.SessionEnded,
            _ => ServerAnswer.Complete,
        };
    }
}
