using System.Diagnostics.Metrics;
using DbRetry.EFCore.Seams;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using Npgsql;

namespace DbRetry.EFCore.Tests.Seams;

[TestClass]
public class ConnectorStateTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public void This_version_of_Npgsql_has_what_the_seam_leans_on() => Assert.IsTrue(ConnectorState.IsAvailable);

    [TestMethod]
    public async Task A_transaction_has_failed_once_a_statement_in_it_failed_and_until_a_savepoint_saves_it()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var connection = await bed.OpenAsync();
        Assert.IsFalse(ConnectorState.IsTransactionFailed(connection));
        await using var transaction = await connection.BeginTransactionAsync(Cancellation);
        await transaction.SaveAsync("here", Cancellation);
        await connection.ExecuteAsync("select 1", Cancellation);
        Assert.IsFalse(ConnectorState.IsTransactionFailed(connection));

        await Assert.ThrowsExactlyAsync<PostgresException>(() => connection.ExecuteAsync("select 1 / 0", Cancellation));
        Assert.IsTrue(ConnectorState.IsTransactionFailed(connection));

        await transaction.RollbackAsync("here", Cancellation);
        Assert.IsFalse(ConnectorState.IsTransactionFailed(connection));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Whoever_waits_for_an_answer_is_told_at_once_that_none_will_come(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var connection = await bed.OpenAsync();
        await using var command = new NpgsqlCommand("select pg_sleep(600)", connection) { CommandTimeout = 0 };
        var waiting = async ? command.ExecuteNonQueryAsync(Cancellation) : Task.Run(() => command.ExecuteNonQuery(), Cancellation);
        while (!connection.FullState.HasFlag(System.Data.ConnectionState.Executing) && !connection.FullState.HasFlag(System.Data.ConnectionState.Fetching))
        {
            await Task.Delay(5, Cancellation);
        }

        ConnectorState.BreakSocket(connection);

        await Assert.ThrowsAsync<NpgsqlException>(() => waiting);
        ConnectorState.BreakSocket(connection);
    }

    [TestMethod]
    public async Task A_closed_connection_has_no_state()
    {
        await using var closed = new NpgsqlConnection("Host=nowhere");
        Assert.IsFalse(ConnectorState.IsTransactionFailed(closed));
        ConnectorState.BreakSocket(closed);
    }

    [TestMethod]
    public async Task EFs_counter_of_failed_attempts_counts_ours()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        long counted = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument is { Meter.Name: "Microsoft.EntityFrameworkCore", Name: "microsoft.entityframeworkcore.execution_strategy_operation_failures" })
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, value, _, _) => Interlocked.Exchange(ref counted, value));
        listener.Start();
        listener.RecordObservableInstruments();
        var before = counted;

        await Assert.ThrowsExactlyAsync<PostgresException>(() => context.FailAsync(async: true, "23505"));

        listener.RecordObservableInstruments();
        Assert.IsGreaterThan(before, counted);
    }
}
