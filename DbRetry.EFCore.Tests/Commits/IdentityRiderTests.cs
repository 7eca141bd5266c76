using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;
using Item = DbRetry.EFCore.Tests.Retry.CounterContext.Item;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>The transaction's identity rides along with a save, and the save is none the wiser.</summary>
[TestClass]
public sealed class IdentityRiderTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Generated_keys_arrive_and_one_identity_rides_per_transaction(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var events = new List<EventData>();
        await using var context = bed.Context(events);
        var unit = await context.BeginAsync(async);
        var items = Enumerable.Range(0, 5).Select(number => new Item { Name = $"item {number}" }).ToList();
        context.Items.AddRange(items);
        Assert.AreEqual(5, await context.SaveAsync(async));
        items[0].Name = "changed";
        context.Items.Remove(items[1]);
        var sixth = new Item { Name = "sixth" };
        context.Items.Add(sixth);
        Assert.AreEqual(3, await context.SaveAsync(async));
        Assert.AreEqual(1, await context.IncrementAsync(async));
        await unit.CommitAsync(async);
        await unit.EndAsync(async);

        Assert.HasCount(1, bed.Proxy.Messages.Where(message => message.IsSql(IdentityQuestion.Riding)));
        Assert.IsFalse(bed.Proxy.Messages.Any(message => message.IsSql(IdentityQuestion.BeforeCommit)));
        Assert.HasCount(6, items.Append(sixth).Select(item => item.Id).Where(id => id > 0).Distinct());
        Assert.IsFalse(events.Any(entry => entry.EventId == RelationalEventId.UnexpectedTrailingResultSetWhenSaving));
        Assert.AreEqual((1L, 5L), await bed.AppliedAsync());
        Assert.AreEqual(
            sixth.Id, await bed.Database.ScalarAsync<long>("select id from items where name = 'sixth'", Cancellation));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_next_transaction_gets_an_identity_of_its_own(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        for (var save = 0; save < 2; save++)
        {
            context.Items.Add(new() { Name = $"item {save}" });
            await context.SaveAsync(async);
        }

        Assert.HasCount(2, bed.Proxy.Messages.Where(message => message.IsSql(IdentityQuestion.Riding)));
        Assert.AreEqual((0L, 2L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false, false)]
    [DataRow(false, true)]
    [DataRow(true, false)]
    [DataRow(true, true)]
    public async Task A_connection_that_has_told_its_server_is_asked_for_less_and_its_transactions_are_as_safe(bool committed, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await context.Database.OpenConnectionAsync(Cancellation);
        context.Items.Add(new() { Name = "first" });
        await context.SaveAsync(async);
        Assert.IsFalse(bed.Proxy.Messages.Any(message => message.IsSql(IdentityQuestion.RidingToKnownServer)));
        context.Items.Add(new() { Name = "second" });
        bed.Proxy.Arm(FaultPoint.AtCommit(committed ? FaultMoment.AfterProcessed : FaultMoment.BeforeForward, FaultAction.Reset));

        await context.SaveAsync(async);

        Assert.AreEqual(1, bed.Proxy.FaultsFired);
        Assert.HasCount(1, bed.Proxy.Messages.Where(message => message.IsSql(IdentityQuestion.RidingToKnownServer)));
        Assert.HasCount(committed ? 0 : 1, bed.Proxy.Messages.Where(message => message.IsSql(IdentityQuestion.Riding)));
        Assert.IsFalse(bed.Proxy.Messages.Any(message => message.IsSql(IdentityQuestion.BeforeCommit)));
        Assert.AreEqual((0L, 2L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_row_that_is_gone_is_a_concurrency_exception_as_ever_and_the_transaction_may_go_on(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var unit = await context.BeginAsync(async);
        var gone = new Item { Id = 4711, Name = "gone" };
        context.Items.Update(gone);
        context.Items.Add(new() { Name = "new" });

        var failure = await Assert.ThrowsExactlyAsync<DbUpdateConcurrencyException>(() => context.SaveAsync(async));

        Assert.AreSame(gone, failure.Entries.Single().Entity);
        context.Entry(gone).State = EntityState.Detached;
        Assert.AreEqual(1, await context.SaveAsync(async));
        await unit.CommitAsync(async);
        await unit.EndAsync(async);
        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_save_that_fails_fails_as_itself_and_a_later_write_carries_the_identity(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await bed.Database.ExecuteAsync("insert into items(name) values ('taken')", Cancellation);
        await using var context = bed.Context();
        var unit = await context.BeginAsync(async);
        var second = new Item { Name = "taken" };
        context.Items.Add(second);

        var failure = await Assert.ThrowsExactlyAsync<DbUpdateException>(() => context.SaveAsync(async));

        Assert.AreEqual(PostgresErrorCodes.UniqueViolation, ((PostgresException)failure.InnerException!).SqlState);
        second.Name = "free";
        Assert.AreEqual(1, await context.SaveAsync(async));
        bed.Proxy.Arm(FaultPoint.AtCommit(FaultMoment.AfterProcessed, FaultAction.Reset));
        await unit.CommitAsync(async);
        await unit.EndAsync(async);

        Assert.IsFalse(bed.Proxy.Messages.Any(message => message.IsSql(IdentityQuestion.BeforeCommit)));
        Assert.AreEqual((0L, 2L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task An_application_that_makes_trailing_results_an_error_gets_none_for_the_identity(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(
            null,
            builder => builder.ConfigureWarnings(warnings => warnings.Throw(RelationalEventId.UnexpectedTrailingResultSetWhenSaving)));
        context.Items.Add(new() { Name = "item" });

        Assert.AreEqual(1, await context.SaveAsync(async));

        Assert.HasCount(1, bed.Proxy.Messages.Where(message => message.IsSql(IdentityQuestion.Riding)));
        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Statements_that_Npgsql_prepares_by_itself_carry_it_as_well(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var options = new DbContextOptionsBuilder<CounterContext>()
            .UseNpgsql($"{bed.ConnectionString};Max Auto Prepare=20;Auto Prepare Min Usages=2", npgsql => npgsql.MaxBatchSize(2))
            .UseDbRetry(RetryBed.Quick)
            .Options;
        await using var context = new CounterContext(options);
        await context.Database.OpenConnectionAsync(Cancellation);
        for (var round = 0; round < 5; round++)
        {
            var items = Enumerable.Range(0, 3).Select(number => new Item { Name = $"item {round} {number}" }).ToList();
            context.Items.AddRange(items);
            Assert.AreEqual(3, await context.SaveAsync(async));
            Assert.IsTrue(items.TrueForAll(item => item.Id > 0));
            Assert.AreEqual(1, await context.IncrementAsync(async));
        }

        Assert.IsFalse(bed.Proxy.Messages.Any(message => message.IsSql(IdentityQuestion.BeforeCommit)));
        Assert.AreEqual((5L, 15L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_save_through_stored_procedures_gets_its_output_and_carries_it(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await bed.Database.ExecuteAsync(
            "create procedure add_item(p_name text, out p_id bigint) language sql as 'insert into items(name) values (p_name) returning id'",
            Cancellation);
        var options = new DbContextOptionsBuilder<ProcedureContext>().UseNpgsql(bed.ConnectionString).UseDbRetry(RetryBed.Quick).Options;
        await using var context = new ProcedureContext(options);
        var items = new[] { new Item { Name = "first" }, new Item { Name = "second" } };
        context.AddRange(items);

        Assert.AreEqual(2, await context.SaveAsync(async));

        Assert.IsTrue(items.All(item => item.Id > 0));
        Assert.IsFalse(bed.Proxy.Messages.Any(message => message.IsSql(IdentityQuestion.BeforeCommit)));
        Assert.AreEqual((0L, 2L), await bed.AppliedAsync());
    }

    private sealed class ProcedureContext(DbContextOptions<ProcedureContext> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder)
            => modelBuilder.Entity<Item>().InsertUsingStoredProcedure(
                "add_item",
                procedure => procedure
                    .HasParameter(item => item.Name, name => name.HasName("p_name"))
                    .HasParameter(item => item.Id, id => id.HasName("p_id").IsOutput()));
    }
}
