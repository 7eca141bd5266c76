using System.Transactions;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry;

/// <summary>In a transaction that somebody else began nothing can be run again: the work runs once, and its failure keeps its meaning.</summary>
[TestClass]
public class OpenTransactionTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Work_in_an_open_transaction_runs_once(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await using var transaction = await context.BeginAsync(async);

        await FailsOnceAsync(context, async);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Work_in_a_transaction_that_was_passed_in_runs_once(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var connection = new NpgsqlConnection(bed.ConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var transaction = await connection.BeginTransactionAsync(Cancellation);
        await using var context = bed.Context(null, builder => builder.UseNpgsql(connection));
        Assert.IsNotNull(async
            ? await context.Database.UseTransactionAsync(transaction, Cancellation)
            : context.Database.UseTransaction(transaction));
        await context.IncrementAsync(async);

        await FailsOnceAsync(context, async);

        await transaction.RollbackAsync(Cancellation);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Work_in_an_ambient_transaction_runs_once(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        using (var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            await context.IncrementAsync(async);
            context.Items.Add(new() { Name = "saved" });
            await context.SaveAsync(async);
            scope.Complete();
        }

        Assert.AreEqual((1L, 1L), await bed.AppliedAsync());
        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            await FailsOnceAsync(context, async);
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Work_in_an_enlisted_transaction_runs_once(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        using var transaction = new CommittableTransaction();
        await context.Database.OpenConnectionAsync(Cancellation);
        context.Database.EnlistTransaction(transaction);
        await context.IncrementAsync(async);

        await FailsOnceAsync(context, async);

        transaction.Rollback();
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_connection_lost_in_an_open_transaction_surfaces_as_itself_and_nothing_is_applied(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await using var transaction = await context.BeginAsync(async);
        await context.IncrementAsync(async);
        bed.Proxy.Arm(FaultPoint.AtSql("INSERT", FaultMoment.AfterProcessed, FaultAction.Reset));
        context.Items.Add(new() { Name = "lost" });
        var attempts = 0;

        var failure = await Assert.ThrowsAsync<Exception>(() => context.Database.CreateExecutionStrategy().RunAsync(async, () =>
        {
            attempts++;
            return context.SaveAsync(async);
        }));

        Assert.IsInstanceOfType<NpgsqlException>(failure is DbUpdateException ? failure.InnerException : failure);
        await Assert.ThrowsExactlyAsync<TransactionLostException>(() => transaction.CommitAsync(async));
        Assert.AreEqual(1, attempts);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Commands_of_a_migration_run_in_an_open_transaction(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var commands = context.GetService<IMigrationsSqlGenerator>().Generate([new SqlOperation { Sql = "update counters set n = n + 1" }]);
        var executor = context.GetService<IMigrationCommandExecutor>();
        var connection = context.GetService<Microsoft.EntityFrameworkCore.Storage.IRelationalConnection>();
        await using (var transaction = await context.BeginAsync(async))
        {
            if (async)
            {
                await executor.ExecuteNonQueryAsync(commands, connection, Cancellation);
            }
            else
            {
                executor.ExecuteNonQuery(commands, connection);
            }

            await transaction.CommitAsync(async);
        }

        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_migration_runs_in_an_open_transaction_and_goes_with_it(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();

        // The provider finds out whether there is a history by an error, which would fail the transaction.
        await context.Database.MigrateAsync(Cancellation);
        await using (await context.BeginAsync(async))
        {
            if (async)
            {
                await context.Database.MigrateAsync(Cancellation);
            }
            else
            {
                context.Database.Migrate();
            }
        }

        await context.IncrementAsync(async);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    private static async Task FailsOnceAsync(CounterContext context, bool async)
    {
        var attempts = 0;
        var error = await Assert.ThrowsExactlyAsync<PostgresException>(() => context.Database.CreateExecutionStrategy().RunAsync(async, () =>
        {
            attempts++;
            return context.FailAsync(async, "40001");
        }));

        Assert.AreEqual("40001", error.SqlState);
        Assert.AreEqual(1, attempts);
    }
}
