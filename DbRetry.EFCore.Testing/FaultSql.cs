using System.Diagnostics.CodeAnalysis;
using Npgsql;

namespace DbRetry.EFCore.Testing;

/// <summary>What makes a server answer as it does in the real case.</summary>
internal static class FaultSql
{
    // The server reports it to the client, as a standby reports what it is. Inside a transaction it would be taken back with it, and reported again, before
    // the client sees the error.
    private const string TakeNoWrites = "SET default_transaction_read_only = on";

    [SuppressMessage("Security", "CA2100", Justification = "Constants, and one of two SQLSTATEs.")]
    internal static NpgsqlCommand For(PlannedFault fault, NpgsqlConnection connection)
        => new(fault.Kind is DbRetryFaultKind.Conflict ? Conflict(fault.SqlState!) : TakeNoWrites, connection);

    private static string Conflict(string sqlState)
    {
        var message = sqlState == PostgresErrorCodes.DeadlockDetected ? "deadlock detected" : "could not serialize access due to concurrent update";
        return $"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlState}', MESSAGE = '{message}', DETAIL = 'Injected by DbRetryFaults.'; END $$";
    }
}
