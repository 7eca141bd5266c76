using System.Data;
using System.Data.Common;
using DbRetry.EFCore.Tests.Retry;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace DbRetry.EFCore.Tests.Seams;

[TestClass]
public class InterceptorTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Interceptors_of_the_application_see_every_event_and_before_ours_acts(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var seen = new List<string>();
        await using var context = bed.Context(null, builder => builder.AddInterceptors(new Watcher(seen, bed)));

        await context.IncrementAsync(async);

        CollectionAssert.AreEqual(
            new[]
            {
                "opening: Closed",
                "opened: Open",
                "executing: no transaction",
                "executed",
                "committing: COMMIT not sent",
                "committed: COMMIT sent",
            },
            seen);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_query_that_fails_is_told_of_though_nobody_wants_to_hear_of_those_that_do_not(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var told = new List<EventData>();
        await using var context = bed.Context(null, builder => builder.LogTo((id, _) => id == RelationalEventId.CommandError, told.Add));
        Assert.AreEqual(1, await context.Counters.CountAsync(async));

        await Assert.ThrowsExactlyAsync<PostgresException>(() => context.Database.SqlQueryRaw<int>("select 1 / 0").ListAsync(async, Cancellation));

        var error = (CommandErrorEventData)told.Single();
        Assert.AreEqual("select 1 / 0", error.Command.CommandText.Trim());
        Assert.AreEqual(PostgresErrorCodes.DivisionByZero, ((PostgresException)error.Exception).SqlState);
        Assert.AreEqual(ConnectionState.Closed, context.Database.GetDbConnection().State);
        Assert.AreEqual(1, await context.Counters.CountAsync(async));
    }

    [TestMethod]
    public async Task A_query_that_is_cancelled_is_told_of_though_nobody_wants_to_hear_of_those_that_are_not()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var told = new List<EventData>();
        await using var context = bed.Context(null, builder => builder.LogTo((id, _) => id == RelationalEventId.CommandCanceled, told.Add));
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var waiting = context.Database.SqlQueryRaw<string>("select pg_sleep(600)::text").ToListAsync(source.Token);
        while (!((NpgsqlConnection)context.Database.GetDbConnection()).FullState.HasFlag(ConnectionState.Executing))
        {
            await Task.Delay(5, Cancellation);
        }

        await source.CancelAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(() => waiting);
        Assert.HasCount(1, told);
        Assert.AreEqual(ConnectionState.Closed, context.Database.GetDbConnection().State);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task An_application_that_opens_the_connection_itself_is_left_alone(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(null, builder => builder.AddInterceptors(new Opener()));

        Assert.AreEqual(1, await context.Counters.CountAsync(async));

        Assert.AreEqual(1, bed.Proxy.ConnectionCount);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task An_application_that_answers_a_command_itself_sends_nothing(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(null, builder => builder.AddInterceptors(new Answerer()));
        bed.Proxy.Arm();

        Assert.AreEqual(42, await context.IncrementAsync(async));

        Assert.IsFalse(bed.Proxy.Messages.Any(message => message.IsSql("UPDATE") || message.IsCommit));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task An_application_that_takes_the_commit_upon_itself_gets_no_other(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(null, builder => builder.AddInterceptors(new Committer()));
        await using (var transaction = await context.BeginAsync(async))
        {
            context.Items.Add(new() { Name = "never" });
            await context.SaveAsync(async);
            await transaction.CommitAsync(async);
        }

        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    public async Task Injected_ones_come_first_then_those_of_the_application()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var order = new List<string>();
        await using var services = new ServiceCollection()
            .AddEntityFrameworkNpgsql()
            .AddEntityFrameworkDbRetry()
            .AddScoped<IInterceptor>(_ => new Named("injected", order))
            .BuildServiceProvider();
        await using var context = bed.Context(
            null, builder => builder.UseInternalServiceProvider(services).AddInterceptors(new Named("first", order), new Named("second", order)));

        await context.Counters.CountAsync(async: true);

        CollectionAssert.AreEqual(new[] { "injected", "first", "second" }, order);
    }

    [TestMethod]
    public async Task Where_the_application_has_no_interceptors_EF_makes_no_objects_for_any()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var interceptors = context.GetService<IInterceptors>();

        Assert.IsNull(interceptors.Aggregate<IDbCommandInterceptor>());
        Assert.IsNull(interceptors.Aggregate<IDbConnectionInterceptor>());
        Assert.IsNull(interceptors.Aggregate<IDbTransactionInterceptor>());
    }

    private sealed class Watcher(List<string> seen, RetryBed bed) : DbCommandInterceptor, IDbConnectionInterceptor, IDbTransactionInterceptor
    {
        public InterceptionResult ConnectionOpening(DbConnection connection, ConnectionEventData eventData, InterceptionResult result)
        {
            seen.Add($"opening: {connection.State}");
            return result;
        }

        public ValueTask<InterceptionResult> ConnectionOpeningAsync(
            DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
            => ValueTask.FromResult(ConnectionOpening(connection, eventData, result));

        public void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData) => seen.Add($"opened: {connection.State}");

        public Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            ConnectionOpened(connection, eventData);
            return Task.CompletedTask;
        }

        public override InterceptionResult<int> NonQueryExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<int> result)
        {
            seen.Add($"executing: {(command.Transaction is null ? "no transaction" : "a transaction")}");
            return result;
        }

        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
            => ValueTask.FromResult(NonQueryExecuting(command, eventData, result));

        public override int NonQueryExecuted(DbCommand command, CommandExecutedEventData eventData, int result)
        {
            seen.Add("executed");
            return result;
        }

        public override ValueTask<int> NonQueryExecutedAsync(
            DbCommand command, CommandExecutedEventData eventData, int result, CancellationToken cancellationToken = default)
            => ValueTask.FromResult(NonQueryExecuted(command, eventData, result));

        public InterceptionResult TransactionCommitting(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result)
        {
            seen.Add($"committing: {Commit()}");
            return result;
        }

        public ValueTask<InterceptionResult> TransactionCommittingAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
            => ValueTask.FromResult(TransactionCommitting(transaction, eventData, result));

        public void TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData) => seen.Add($"committed: {Commit()}");

        public Task TransactionCommittedAsync(
            DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            TransactionCommitted(transaction, eventData);
            return Task.CompletedTask;
        }

        private string Commit() => bed.Proxy.Messages.Any(message => message.IsCommit) ? "COMMIT sent" : "COMMIT not sent";
    }

    private sealed class Opener : DbConnectionInterceptor
    {
        public override InterceptionResult ConnectionOpening(DbConnection connection, ConnectionEventData eventData, InterceptionResult result)
        {
            connection.Open();
            return InterceptionResult.Suppress();
        }

        public override async ValueTask<InterceptionResult> ConnectionOpeningAsync(
            DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
        {
            await connection.OpenAsync(cancellationToken);
            return InterceptionResult.Suppress();
        }
    }

    private sealed class Answerer : DbCommandInterceptor
    {
        public override InterceptionResult<int> NonQueryExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<int> result)
            => InterceptionResult<int>.SuppressWithResult(42);

        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
            => ValueTask.FromResult(InterceptionResult<int>.SuppressWithResult(42));
    }

    private sealed class Committer : DbTransactionInterceptor
    {
        public override InterceptionResult TransactionCommitting(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result)
        {
            transaction.Rollback();
            return InterceptionResult.Suppress();
        }

        public override async ValueTask<InterceptionResult> TransactionCommittingAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
        {
            await transaction.RollbackAsync(cancellationToken);
            return InterceptionResult.Suppress();
        }
    }

    private sealed class Named(string name, List<string> order) : DbConnectionInterceptor
    {
        public override ValueTask<InterceptionResult> ConnectionOpeningAsync(
            DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
        {
            Assert.AreEqual(ConnectionState.Closed, connection.State);
            order.Add(name);
            return ValueTask.FromResult(result);
        }
    }
}
