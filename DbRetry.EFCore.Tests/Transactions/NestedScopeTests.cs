using System.Data;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Transactions;

[TestClass]
public class NestedScopeTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_nested_scope_takes_part_in_the_outer_one(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var outer = await context.BeginScopeAsync(async, IsolationLevel.Serializable);
        var transaction = context.Database.CurrentTransaction;
        var inner = await context.BeginScopeAsync(async, IsolationLevel.Serializable);
        Assert.AreSame(transaction, context.Database.CurrentTransaction);
        await context.IncrementAsync(async);

        var early = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => outer.CompleteAsync(async));
        Assert.Contains("still open", early.Message);
        await inner.CompleteAsync(async);
        await inner.EndAsync(async);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
        await outer.CompleteAsync(async);
        await outer.EndAsync(async);

        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_nested_scope_that_is_not_completed_dooms_the_outer_one(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var outer = await context.BeginScopeAsync(async);
        await context.IncrementAsync(async);
        var inner = await context.BeginScopeAsync(async);
        await inner.EndAsync(async);

        var doomed = await Assert.ThrowsExactlyAsync<TransactionScopeDoomedException>(() => outer.CompleteAsync(async));

        Assert.Contains("nothing of it is committed", doomed.Message);
        await outer.EndAsync(async);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
        var next = await context.BeginScopeAsync(async);
        await context.IncrementAsync(async);
        await next.CompleteAsync(async);
        await next.EndAsync(async);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_nested_scope_cannot_ask_for_another_transaction(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var outer = await context.BeginScopeAsync(async);
        await context.IncrementAsync(async);

        await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => context.BeginScopeAsync(async, IsolationLevel.Serializable));
        await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => context.BeginScopeAsync(async, mode: TransactionScopeMode.ReadOnly));

        await outer.CompleteAsync(async);
        await outer.EndAsync(async);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task An_open_transaction_is_adopted_and_left_to_the_application(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var transaction = await context.BeginAsync(async);
        var scope = await context.BeginScopeAsync(async, IsolationLevel.ReadCommitted);
        await context.IncrementAsync(async);

        await scope.CompleteAsync(async);
        await scope.EndAsync(async);

        Assert.AreSame(transaction, context.Database.CurrentTransaction);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
        await transaction.CommitAsync(async);
        await transaction.EndAsync(async);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false, false)]
    [DataRow(true, false)]
    [DataRow(false, true)]
    [DataRow(true, true)]
    public async Task A_scope_that_is_not_completed_takes_back_its_own_work_alone_from_a_transaction_that_it_adopted(bool async, bool failed)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var transaction = await context.BeginAsync(async);
        await context.SqlAsync(async, "insert into items(name) values ('before')");
        var scope = await context.BeginScopeAsync(async);
        await context.IncrementAsync(async);
        var inner = await context.BeginScopeAsync(async);
        await context.SqlAsync(async, "insert into items(name) values ('within')");
        if (failed)
        {
            await Assert.ThrowsAsync<PostgresException>(() => context.SqlAsync(async, "insert into items(name) values ('within')"));
        }

        await inner.EndAsync(async);
        await Assert.ThrowsExactlyAsync<TransactionScopeDoomedException>(() => scope.CompleteAsync(async));
        await scope.EndAsync(async);

        Assert.AreSame(transaction, context.Database.CurrentTransaction);
        await context.SqlAsync(async, "insert into items(name) values ('after')");
        await transaction.CommitAsync(async);
        await transaction.EndAsync(async);
        Assert.AreEqual((0L, 2L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_transaction_that_was_passed_in_is_adopted_and_never_closed(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await using var connection = await bed.OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, Cancellation);
        context.Database.SetDbConnection(connection);
        await context.Database.UseTransactionAsync(transaction, Cancellation);

        await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => context.BeginScopeAsync(async, IsolationLevel.Serializable));
        var scope = await context.BeginScopeAsync(async, IsolationLevel.RepeatableRead);
        await context.IncrementAsync(async);
        await scope.CompleteAsync(async);
        await scope.EndAsync(async);
        scope = await context.BeginScopeAsync(async);
        await context.IncrementAsync(async);
        await scope.EndAsync(async);

        Assert.AreEqual(ConnectionState.Open, connection.State);
        await transaction.CommitAsync(Cancellation);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_savepoint_of_an_adopting_scope_travels_with_its_first_statement(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await using var transaction = await context.BeginAsync(async);
        await context.Items.CountAsync(async);
        bed.Proxy.Arm();

        var scope = await context.BeginScopeAsync(async);
        Assert.AreEqual(0, bed.Proxy.MessageCount);
        await context.Items.CountAsync(async);
        await scope.CompleteAsync(async);
        await scope.EndAsync(async);

        var sent = bed.Proxy.Messages.Where(message => message.Sql is not null).Select(message => message.Sql!.Split('\n', ' ')[0]);
        Assert.AreEqual("SAVEPOINT SELECT RELEASE", string.Join(' ', sent).ToUpperInvariant());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_transaction_that_was_lost_is_not_adopted(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await using var transaction = await context.BeginAsync(async);
        bed.Proxy.Arm(FaultPoint.AtSql("UPDATE", FaultMoment.BeforeForward, FaultAction.Reset));
        await Assert.ThrowsAsync<Exception>(() => context.IncrementAsync(async));

        await Assert.ThrowsExactlyAsync<TransactionLostException>(() => context.BeginScopeAsync(async));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_transaction_that_has_failed_is_not_adopted_and_can_still_be_rolled_back_to_a_savepoint(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await using var transaction = await context.BeginAsync(async);
        await context.IncrementAsync(async);
        await transaction.CreateSavepointAsync("before", Cancellation);
        await Assert.ThrowsExactlyAsync<PostgresException>(() => context.FailAsync(async, "22012"));

        var refused = await Assert.ThrowsExactlyAsync<TransactionFailedException>(() => context.BeginScopeAsync(async));
        Assert.IsInstanceOfType<PostgresException>(refused.InnerException);

        await transaction.RollbackToSavepointAsync("before", Cancellation);
        await transaction.CommitAsync(Cancellation);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false, true)]
    [DataRow(true, true)]
    [DataRow(false, false)]
    [DataRow(true, false)]
    public async Task A_scope_in_an_ambient_transaction_leaves_the_commit_to_it_or_dooms_it(bool async, bool completed)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        Exception? doomed = null;
        try
        {
            using var ambient = new System.Transactions.TransactionScope(System.Transactions.TransactionScopeAsyncFlowOption.Enabled);
            var scope = await context.BeginScopeAsync(async, IsolationLevel.Serializable);
            await context.IncrementAsync(async);
            if (completed)
            {
                await scope.CompleteAsync(async);
            }

            await scope.EndAsync(async);
            ambient.Complete();
        }
        catch (System.Transactions.TransactionAbortedException exception)
        {
            doomed = exception;
        }

        Assert.AreEqual(completed, doomed is null);
        Assert.AreEqual((completed ? 1L : 0L, 0L), await bed.AppliedAsync());
    }
}
