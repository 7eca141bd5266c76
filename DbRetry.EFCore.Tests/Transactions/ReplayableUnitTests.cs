using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Tests.Transactions;

[TestClass]
public class ReplayableUnitTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_unit_returns_what_its_last_attempt_returned(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var attempts = 0;

        var result = await context.UnitAsync(async, async () =>
        {
            await context.IncrementAsync(async);
            if (++attempts == 1)
            {
                await context.ConflictAsync(async);
            }

            return attempts;
        });

        Assert.AreEqual(2, result);
        Assert.IsNull(context.Database.CurrentTransaction);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task An_entity_that_was_made_outside_and_attached_inside_is_attached_again_as_it_was(bool async)
    {
        await using var bed = await GraphBed.CreateAsync(Cancellation);
        await bed.ExecuteAsync("""alter table "Orders" alter column "Id" set generated always""");
        await using var context = bed.Context();
        var customer = GraphBed.Customer("made outside");
        var lines = customer.Orders[0].Lines.ToList();
        var attempts = 0;

        await context.UnitAsync(async, async () =>
        {
            Assert.AreEqual(0, customer.Id);
            Assert.AreEqual(0L, customer.Orders[0].Id);
            Assert.HasCount(2, customer.Orders);
            Assert.IsTrue(lines.SequenceEqual(customer.Orders[0].Lines));
            Assert.IsEmpty(context.ChangeTracker.Entries());
            context.Add(customer);
            if (++attempts == 1)
            {
                await context.ConflictAsync(async);
            }

            await context.SaveAsync(async);
            customer.Name += " and changed";
            await context.SaveAsync(async);
            if (attempts == 2)
            {
                bed.Proxy.Arm(FaultPoint.AtSql("COMMIT", FaultMoment.BeforeForward, FaultAction.Reset));
            }
        });

        Assert.AreEqual(3, attempts);
        Assert.AreEqual("made outside and changed", await bed.ScalarAsync<string>("""select string_agg("Name", ',') from "Customers" """));
        Assert.AreEqual(3L, await bed.ScalarAsync<long>("""select count(*) from "Line" """));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task An_entry_that_the_application_holds_stays_the_entry_of_its_entity(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var entry = context.Items.Add(new() { Name = "held" });
        var local = context.Items.Local;
        var attempts = 0;

        await context.UnitAsync(async, async () =>
        {
            attempts++;
            Assert.AreEqual(EntityState.Added, entry.State);
            Assert.IsTrue(entry.Property(item => item.Id).IsTemporary);
            Assert.HasCount(1, local);
            await context.SaveAsync(async);
            if (attempts == 1)
            {
                await context.ConflictAsync(async);
            }
        });

        Assert.AreEqual(2, attempts);
        Assert.AreEqual(EntityState.Unchanged, entry.State);
        Assert.AreEqual(entry.Entity.Id, entry.CurrentValues.GetValue<long>(nameof(CounterContext.Item.Id)));
        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false, false)]
    [DataRow(true, false)]
    [DataRow(false, true)]
    [DataRow(true, true)]
    public async Task A_unit_that_fails_for_good_leaves_the_tracker_as_it_was(bool async, bool exhausted)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var item = new CounterContext.Item { Name = "kept for later" };
        context.Items.Add(item);
        var counter = (await context.Counters.ListAsync(async)).Single();

        async Task Work()
        {
            counter.N++;
            await context.SaveAsync(async);
            Assert.AreEqual(EntityState.Unchanged, context.Entry(item).State);
            await (exhausted ? context.ConflictAsync(async) : context.SqlAsync(async, "select 1 / 0"));
        }

        if (exhausted)
        {
            await Assert.ThrowsAsync<RetryLimitExceededException>(() => context.UnitAsync(async, Work));
        }
        else
        {
            await Assert.ThrowsExactlyAsync<PostgresException>(() => context.UnitAsync(async, Work));
        }

        Assert.AreEqual(EntityState.Added, context.Entry(item).State);
        Assert.AreEqual(0L, item.Id);
        Assert.AreEqual(0L, counter.N);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
        await context.SaveAsync(async);
        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task When_the_outcome_is_unknown_nothing_is_made_to_look_unsaved(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.CommitVerification = CommitVerification.Surface);
        var entry = context.Items.Add(new() { Name = "perhaps" });

        await Assert.ThrowsExactlyAsync<CommitOutcomeUnknownException>(() => context.UnitAsync(async, async () =>
        {
            await context.SaveAsync(async);
            bed.Proxy.Arm(FaultPoint.AtSql("COMMIT", FaultMoment.AfterProcessed, FaultAction.Reset));
        }));

        Assert.AreEqual(EntityState.Unchanged, entry.State);
        await context.SaveAsync(async);
        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_unit_inside_a_unit_is_a_part_of_it(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var (outer, inner) = (0, 0);

        await context.UnitAsync(async, async () =>
        {
            outer++;
            await context.IncrementAsync(async);
            await context.UnitAsync(async, async () =>
            {
                inner++;
                context.Items.Add(new() { Name = "inner" });
                await context.SaveAsync(async);
                if (inner == 1)
                {
                    await context.ConflictAsync(async);
                }
            });
        });

        Assert.AreEqual((2, 2), (outer, inner));
        Assert.AreEqual((1L, 1L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_conflict_that_the_unit_swallowed_with_an_inner_scope_is_still_retried(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var attempts = 0;

        await context.UnitAsync(async, async () =>
        {
            attempts++;
            await context.IncrementAsync(async);
            if (attempts == 1)
            {
                await Assert.ThrowsAsync<PostgresException>(() => context.UnitAsync(async, () => context.ConflictAsync(async)));
            }
        });

        Assert.AreEqual(2, attempts);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_unit_that_dooms_itself_fails_at_once(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var attempts = 0;

        await Assert.ThrowsExactlyAsync<TransactionScopeDoomedException>(() => context.UnitAsync(async, async () =>
        {
            attempts++;
            await context.IncrementAsync(async);
            await (await context.BeginScopeAsync(async)).EndAsync(async);
        }));

        Assert.AreEqual(1, attempts);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task In_a_transaction_of_the_application_a_unit_runs_once_and_takes_back_its_own_work(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var transaction = await context.BeginAsync(async);
        await context.IncrementAsync(async);
        var entry = context.Items.Add(new() { Name = "not saved" });
        var attempts = 0;

        await Assert.ThrowsExactlyAsync<PostgresException>(() => context.UnitAsync(async, async () =>
        {
            attempts++;
            await context.SaveAsync(async);
            await context.ConflictAsync(async);
        }));

        Assert.AreEqual(1, attempts);
        Assert.AreEqual(EntityState.Added, entry.State);
        await transaction.CommitAsync(async);
        await transaction.EndAsync(async);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    public async Task An_asynchronous_operation_in_a_synchronous_unit_is_refused_before_it_runs()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();

        var refusal = Assert.ThrowsExactly<ArgumentException>(
            () => context.Database.ExecuteInTransactionScope(() => Task.FromResult(1)));

        Assert.Contains("ExecuteInTransactionScopeAsync", refusal.Message);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    public async Task Every_overload_runs_its_operation_in_one_transaction_with_the_callers_token()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var database = context.Database;

        await database.ExecuteInTransactionScopeAsync(async () => await InTransactionAsync(default));
        Assert.AreEqual(1, await database.ExecuteInTransactionScopeAsync(() => InTransactionAsync(default)));
        await database.ExecuteInTransactionScopeAsync(async token => await InTransactionAsync(token), cancellationToken: Cancellation);
        Assert.AreEqual(1, await database.ExecuteInTransactionScopeAsync(InTransactionAsync, cancellationToken: Cancellation));
        Assert.AreEqual(0L, await database.ExecuteInTransactionScopeAsync(
            token => context.Items.LongCountAsync(token), null, TransactionScopeMode.ReadOnlyDeferrable, Cancellation));
        await database.ExecuteInTransactionScopeAsync(
            async token => await context.Items.LongCountAsync(token), null, TransactionScopeMode.ReadOnly, Cancellation);
        Assert.AreEqual((4L, 0L), await bed.AppliedAsync());

        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(
            () => database.ExecuteInTransactionScopeAsync(static _ => Task.FromResult(1), cancellationToken: cancelled.Token));

        async Task<int> InTransactionAsync(CancellationToken token)
        {
            Assert.IsNotNull(database.CurrentTransaction);
            Assert.IsTrue(token == Cancellation || token == default);
            return await context.IncrementAsync(async: true);
        }
    }
}
