using System.Collections.Frozen;

namespace DbRetry.EFCore.Retry;

/// <summary>What the built-in table says about one SQLSTATE.</summary>
/// <param name="Kind">How it is treated.</param>
/// <param name="Reason">Why.</param>
internal readonly record struct SqlStateRow(FailureKind Kind, string Reason);

/// <summary>
/// Every class of PostgreSQL's appendix A, and each code that is treated unlike its class or deserves a reason of its own.
/// <see href="https://www.postgresql.org/docs/current/errcodes-appendix.html"/>
/// </summary>
/// <remarks>
/// Written down rather than taken from <c>PostgresException.IsTransient</c>, which calls 08007, 55000, 55006 and 53100 transient and 25006 and 08P01
/// permanent (Npgsql 10.0.0, PostgresException.cs:205).
/// </remarks>
internal static class SqlStateTable
{
    /// <summary>What PgBouncer says when its server went away, and what PostgreSQL says of a malformed message.</summary>
    internal const string ProtocolViolation = "08P01";

    private static readonly SqlStateRow Unknown = Permanent("a class of SQLSTATE that PostgreSQL does not define: nobody can tell whether repeating it is safe");

    private static readonly FrozenDictionary<string, SqlStateRow> Classes = new Dictionary<string, SqlStateRow>
    {
        ["00"] = Permanent("successful completion is no failure to repeat"),
        ["01"] = Permanent("a warning, raised as an error by the statement's own choice"),
        ["02"] = Permanent("no data: the same question has the same answer"),
        ["03"] = Permanent("the statement is not complete"),
        ["08"] = Permanent("a connection exception that PostgreSQL does not define"),
        ["09"] = Permanent("a triggered action failed"),
        ["0A"] = Permanent("the feature is not supported"),
        ["0B"] = Permanent("the transaction was not begun in a valid way"),
        ["0F"] = Permanent("an invalid locator"),
        ["0L"] = Permanent("an invalid grantor"),
        ["0P"] = Permanent("an invalid role"),
        ["0Z"] = Permanent("the diagnostics area was accessed outside of a handler"),
        ["10"] = Permanent("an argument of an XQuery or JSON expression is invalid"),
        ["20"] = Permanent("no branch of a CASE fits"),
        ["21"] = Permanent("a subquery returned more rows than fit"),
        ["22"] = Permanent("the data does not fit the operation"),
        ["23"] = Permanent("an integrity constraint refuses the data"),
        ["24"] = Permanent("the cursor is in the wrong state"),
        ["25"] = Permanent("the statement does not fit the state of the transaction"),
        ["26"] = Permanent("the prepared statement does not exist, as behind a pooler that switches servers between statements"),
        ["27"] = Permanent("a trigger changed the row that is being changed"),
        ["28"] = Permanent("the server refuses these credentials"),
        ["2B"] = Permanent("privileges depend on this one"),
        ["2D"] = Permanent("a transaction cannot be ended here"),
        ["2F"] = Permanent("a routine failed"),
        ["34"] = Permanent("the cursor does not exist"),
        ["38"] = Permanent("an external routine failed"),
        ["39"] = Permanent("an external routine was invoked in the wrong way"),
        ["3B"] = Permanent("the savepoint does not exist"),
        ["3D"] = Permanent("the database does not exist"),
        ["3F"] = Permanent("the schema does not exist"),
        ["40"] = Permanent("rolled back for a reason that PostgreSQL does not say is worth another try"),
        ["42"] = Permanent("a syntax error, an unknown name or a missing permission"),
        ["44"] = Permanent("the row does not fit the view's check option"),
        ["53"] = Permanent("the server is short of a resource, and repeating the work does not free any"),
        ["54"] = Permanent("the statement exceeds a limit of the server"),
        ["55"] = Permanent("the object is not in the state that the statement needs, and repeating the statement does not change it"),
        ["57"] = Permanent("an operator intervened, on purpose"),
        ["58"] = Permanent("an error of the system beneath the server"),
        ["72"] = Conflict("the snapshot is too old; a new attempt takes a new one"),
        ["F0"] = Permanent("an error in the server's configuration file"),
        ["HV"] = Permanent("a foreign data wrapper failed"),
        ["P0"] = Permanent("raised by PL/pgSQL code"),
        ["XX"] = Permanent("an internal error of the server"),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, SqlStateRow> Codes = new Dictionary<string, SqlStateRow>
    {
        ["08000"] = Lost("the server reports a connection exception"),
        ["08001"] = Unavailable("the server could not make a connection"),
        ["08003"] = Lost("the connection does not exist any more"),
        ["08004"] = Unavailable("the server rejected the connection"),
        ["08006"] = Lost("the connection failed"),
        ["08007"] = new(FailureKind.OutcomeUnknown, "the server does not know how the transaction ended"),
        [ProtocolViolation] = Lost("a pooler lost its server, with either outcome"),
        ["25006"] = new(FailureKind.ReadOnlyHost, "the host does not take writes: another one does now, if this was the primary"),
        ["25P02"] = Permanent("the transaction failed before: this is a follow-up, and the first failure is what counts"),
        ["25P03"] = Lost("the server ended the session for idling in a transaction"),
        ["28000"] = Permanent("the server does not let this user in from here"),
        ["28P01"] = Permanent("the password is wrong"),
        ["40001"] = Conflict("a concurrent transaction was in the way (serialization failure, or a standby's conflict with recovery)"),
        ["40002"] = Permanent("an integrity constraint refuses the transaction"),
        ["40003"] = new(FailureKind.OutcomeUnknown, "the server does not know whether the statement was completed"),
        ["40P01"] = Conflict("a deadlock was resolved at this transaction's expense"),
        ["42501"] = Permanent("the user lacks the permission"),
        ["53000"] = Permanent("the server is short of a resource that it does not name"),
        ["53100"] = Permanent("the disk is full, and repeating the work does not empty it"),
        ["53200"] = Permanent("out of memory, or of shared memory, which a too large statement runs into every time"),
        ["53300"] = Unavailable("the server has no connection slot free"),
        ["53400"] = Permanent("a configured limit is reached"),
        ["55000"] = Permanent("the object is not in the state that the statement needs"),
        ["55006"] = Permanent("the object is in use"),
        ["55P03"] = Permanent("NOWAIT and lock_timeout mean what they say"),
        ["57014"] = Permanent("the statement was cancelled, by an operator or by its statement_timeout"),
        ["57P01"] = Lost("an administrator terminated the session, or the server shuts down"),
        ["57P02"] = Lost("the server crashed"),
        ["57P03"] = Unavailable("the server is starting up, shutting down or recovering"),
        ["57P04"] = Permanent("the database was dropped"),
        ["57P05"] = Lost("the server ended an idle session"),
        ["58030"] = Permanent("the server cannot read or write its files"),
        ["72000"] = Conflict("the snapshot is too old; a new attempt takes a new one"),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The classes that have a row, for the test which compares them with appendix A.</summary>
    internal static IReadOnlyCollection<string> KnownClasses => Classes.Keys;

    /// <summary>The row of the code, else the one of its class, else a permanent one.</summary>
    internal static SqlStateRow Find(string sqlState)
        => Codes.TryGetValue(sqlState, out var row)
            || (sqlState.Length == 5 && Classes.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(sqlState.AsSpan(0, 2), out row))
                ? row
                : Unknown;

    private static SqlStateRow Permanent(string reason) => new(FailureKind.Permanent, reason);

    private static SqlStateRow Conflict(string reason) => new(FailureKind.Conflict, reason);

    private static SqlStateRow Lost(string reason) => new(FailureKind.LostConnection, reason);

    private static SqlStateRow Unavailable(string reason) => new(FailureKind.HostUnavailable, reason);
}
