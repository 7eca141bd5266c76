using System.Globalization;
using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using Npgsql;

namespace DbRetry.EFCore.Tests.Commits;

[TestClass]
public sealed class KnownServersTests
{
    private const string Own = "pg_catalog.pg_backend_pid(), pg_catalog.pg_postmaster_start_time()";

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(Own, true, DisplayName = "its own")]
    [DataRow("pg_catalog.pg_backend_pid() + 1, pg_catalog.pg_postmaster_start_time()", false, DisplayName = "another backend")]
    [DataRow("pg_catalog.pg_backend_pid(), pg_catalog.pg_postmaster_start_time() + interval '1 microsecond'", false, DisplayName = "another server")]
    public async Task A_connection_is_believed_to_lead_where_it_led_only_if_its_backend_is_the_same(string backend, bool believed)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var connection = await bed.OpenAsync();
        var told = await IdentityAsync(connection, TransactionQueries.ReadIdentity(connection).CommandText, TransactionQueries.Identity);
        Assert.IsNull(KnownServers.Of(connection));
        KnownServers.Note(connection, told!);
        Assert.AreEqual(told!.Server, KnownServers.Of(connection));

        var identity = await IdentityAsync(
            connection, $"SELECT '4711'::xid8 AS dbretry_known_transaction_id, '1/0'::pg_lsn, {backend}", row => TransactionQueries.RidingIdentity(row, connection));

        Assert.AreEqual(believed ? new TransactionIdentity(4711, 1L << 32, told.Server, connection.ProcessID) : null, identity);
    }

    [TestMethod]
    public async Task A_connection_whose_backend_is_not_its_own_is_asked_for_everything_each_time()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var connection = await bed.OpenAsync();
        var told = await IdentityAsync(connection, TransactionQueries.ReadIdentity(connection).CommandText, TransactionQueries.Identity);

        KnownServers.Note(connection, told! with { ProcessId = connection.ProcessID + 1 });

        Assert.IsNull(KnownServers.Of(connection));
        Assert.Contains(IdentityQuestion.Riding, TransactionQueries.IdentityRider(connection));
    }

    [TestMethod]
    public async Task A_connection_that_is_closed_has_told_nothing()
    {
        await using var connection = new NpgsqlConnection();

        Assert.IsNull(KnownServers.Of(connection));
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task A_transaction_id_is_read_as_a_number_whether_the_types_of_the_server_were_loaded_or_not(bool loaded)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var builder = new NpgsqlDataSourceBuilder(bed.ConnectionString);
        builder.ConfigureTypeLoading(loading => loading.EnableTypeLoading(loaded));
        await using var source = builder.Build();
        await using var connection = await source.OpenConnectionAsync(Cancellation);
        await using var transaction = await connection.BeginTransactionAsync(Cancellation);
        var readOnly = await IdentityAsync(connection, TransactionQueries.IdentityRider(connection), TransactionQueries.Identity);
        var xid = ulong.Parse((string)(await connection.ScalarAsync("select pg_current_xact_id()::text", Cancellation))!, CultureInfo.InvariantCulture);

        var written = await IdentityAsync(connection, TransactionQueries.IdentityRider(connection), TransactionQueries.Identity);

        Assert.IsNull(readOnly!.Xid);
        Assert.AreEqual(xid, written!.Xid);
    }

    private async Task<TransactionIdentity?> IdentityAsync(NpgsqlConnection connection, string sql, Func<NpgsqlDataReader, TransactionIdentity?> read)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync(Cancellation);
        Assert.IsTrue(await reader.ReadAsync(Cancellation));
        return read(reader);
    }
}
