using System.Data;
using System.Data.Common;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace DbRetry.EFCore.Tests.Buffering;

[TestClass]
public sealed class ReadAheadTests
{
    private const int Rows = 200;
    private const int Ahead = 40;

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_failure_within_the_rows_that_are_read_ahead_is_retried(bool async)
    {
        await using var bed = await BedAsync();
        await using var context = bed.Context(options => options.ReadAheadRows = Ahead);
        BreakAt(bed, Ahead / 2);

        var names = await context.Items.AsNoTracking().OrderBy(item => item.Id).Select(item => item.Name).ListAsync(async, Cancellation);

        Assert.AreEqual(1, bed.Proxy.FaultsFired);
        Assert.HasCount(Rows, names);
        Assert.HasCount(Rows, names.Distinct());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_failure_behind_them_surfaces_after_the_rows_before_it(bool async)
    {
        await using var bed = await BedAsync();
        await using var context = bed.Context(options => options.ReadAheadRows = Ahead);
        BreakAt(bed, Rows / 2);
        var seen = 0;

        var error = await Assert.ThrowsAsync<NpgsqlException>(async () =>
            await context.Items.AsNoTracking().OrderBy(item => item.Id).EachAsync(
                async,
                _ =>
                {
                    seen++;
                    return Task.CompletedTask;
                },
                Cancellation));

        Assert.IsTrue(error.IsTransient);
        Assert.IsGreaterThanOrEqualTo(Ahead, seen);
        Assert.IsLessThan(Rows / 2, seen);

        // Nothing is left of it.
        Assert.HasCount(Rows, await context.Items.ListAsync(async, Cancellation));
    }

    [TestMethod]
    [DataRow(Rows - 1, false)]
    [DataRow(Rows, true)]
    [DataRow(Rows + 1, true)]
    public async Task A_result_that_fits_is_complete_before_its_first_row_is_handed_out(int ahead, bool complete)
    {
        await using var bed = await BedAsync();
        await using var context = bed.Context(options => options.ReadAheadRows = ahead);
        await context.Items.AsNoTracking().FirstAsync(Cancellation);
        bed.Proxy.Arm();

        await using var items = context.Items.AsNoTracking().OrderBy(item => item.Id).AsAsyncEnumerable().GetAsyncEnumerator(Cancellation);
        Assert.IsTrue(await items.MoveNextAsync());

        var connection = (NpgsqlConnection)context.Database.GetDbConnection();
        Assert.AreEqual(complete ? ConnectionState.Open : ConnectionState.Open | ConnectionState.Fetching, connection.FullState);
        var seen = 1;
        while (await items.MoveNextAsync())
        {
            seen++;
        }

        Assert.AreEqual(Rows, seen);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Another_query_may_run_while_a_long_result_is_being_read(bool async)
    {
        await using var bed = await BedAsync();
        await using var context = bed.Context(options => options.ReadAheadRows = Ahead);
        var ids = new List<long>();

        await context.Items.AsNoTracking().OrderBy(item => item.Id).EachAsync(
            async,
            async item => ids.Add((await context.Items.AsNoTracking().Where(same => same.Id == item.Id).ListAsync(async, Cancellation)).Single().Id),
            Cancellation);

        Assert.HasCount(Rows, ids.Distinct());
    }

    [TestMethod]
    public async Task Two_results_that_are_read_in_turn_do_not_disturb_each_other()
    {
        await using var bed = await BedAsync();
        await using var context = bed.Context(options => options.ReadAheadRows = Ahead);
        var (first, second) = (new List<long>(), new List<long>());

        // Npgsql has one reader per connection: that of the first result, which is complete, serves the second one, which is not.
        var few = context.Items.AsNoTracking().OrderBy(item => item.Id).Take(Ahead).AsAsyncEnumerable().GetAsyncEnumerator(Cancellation);
        Assert.IsTrue(await few.MoveNextAsync());
        await using (var many = context.Items.AsNoTracking().OrderBy(item => item.Id).AsAsyncEnumerable().GetAsyncEnumerator(Cancellation))
        {
            Assert.IsTrue(await many.MoveNextAsync());
            do
            {
                first.Add(few.Current.Id);
            }
            while (await few.MoveNextAsync());

            await few.DisposeAsync();
            do
            {
                second.Add(many.Current.Id);
            }
            while (await many.MoveNextAsync());
        }

        Assert.HasCount(Ahead, first);
        Assert.HasCount(Rows, second);
        CollectionAssert.AreEqual(first, second[..Ahead]);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Changes_may_be_saved_while_a_long_result_is_being_read(bool async)
    {
        await using var bed = await BedAsync();
        await using var context = bed.Context(options => options.ReadAheadRows = Ahead);

        await context.Items.OrderBy(item => item.Id).EachAsync(
            async,
            async item =>
            {
                item.Name = $"renamed {item.Id}";
                await context.SaveAsync(async);
            },
            Cancellation);

        Assert.AreEqual((long)Rows, await bed.Database.ScalarAsync<long>("select count(distinct name) from items where name like 'renamed %'", Cancellation));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_transaction_may_be_committed_while_a_long_result_is_being_read(bool async)
    {
        await using var bed = await BedAsync();
        await using var context = bed.Context(options => options.ReadAheadRows = Ahead);
        var seen = 0;
        await using var transaction = await context.BeginAsync(async);
        await context.IncrementAsync(async);

        await context.Items.AsNoTracking().EachAsync(
            async,
            async _ =>
            {
                if (++seen == Ahead + 1)
                {
                    await transaction.CommitAsync(async);
                }
            },
            Cancellation);

        Assert.AreEqual(Rows, seen);
        Assert.AreEqual(1L, (await bed.AppliedAsync()).Counter);
    }

    [TestMethod]
    public async Task A_result_that_is_given_up_leaves_nothing_behind()
    {
        await using var bed = await BedAsync();
        await using var context = bed.Context(options => options.ReadAheadRows = Ahead);

        await foreach (var item in context.Items.AsAsyncEnumerable().WithCancellation(Cancellation))
        {
            Assert.IsNotNull(item.Name);
            break;
        }

        Assert.HasCount(Rows, await context.Items.ToListAsync(Cancellation));
        Assert.AreEqual(ConnectionState.Closed, context.Database.GetDbConnection().State);
    }

    [TestMethod]
    public async Task Cancellation_while_it_reads_ahead_surfaces_as_such_and_leaves_the_context_usable()
    {
        await using var bed = await BedAsync();
        await using var context = bed.Context();
        using var cancelling = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        cancelling.CancelAfter(TimeSpan.FromMilliseconds(300));
        var slow = context.Database.SqlQueryRaw<int>(
            "select i + case when i > 100 then length(pg_sleep(0.2)::text) else 0 end as \"Value\" from generate_series(1, 200) i");

        await Assert.ThrowsAsync<OperationCanceledException>(() => slow.ToListAsync(cancelling.Token));

        Assert.HasCount(Rows, await context.Items.ToListAsync(Cancellation));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Readers_that_an_interceptor_supplies_are_read(bool async)
    {
        await using var bed = await BedAsync();
        await using var context = bed.Context(
            options => options.ReadAheadRows = 1, builder => builder.AddInterceptors(new Supplier()));

        var items = await context.Items.AsNoTracking().ListAsync(async, Cancellation);

        CollectionAssert.AreEqual(new[] { "supplied 1", "supplied 2", "supplied 3" }, items.Select(item => item.Name).ToArray());
    }

    // Long names, so that Npgsql cannot have read all rows with the first.
    private async Task<RetryBed> BedAsync()
    {
        var bed = await RetryBed.CreateAsync(Cancellation);
        await bed.Database.ExecuteAsync($"insert into items(name) select i || repeat('x', 2000) from generate_series(1, {Rows}) i", Cancellation);
        return bed;
    }

    private static void BreakAt(RetryBed bed, int row)
    {
        var rows = -1;
        bed.Proxy.Arm(new FaultPoint(
            message =>
            {
                rows = message.IsSql("items") ? 0 : rows;
                return rows >= 0 && message is { Sender: Sender.Backend, Type: 'D' } && ++rows == row;
            },
            FaultMoment.BeforeForward,
            FaultAction.Cut));
    }

    private sealed class Supplier : DbCommandInterceptor
    {
        public override DbDataReader ReaderExecuted(DbCommand command, CommandExecutedEventData eventData, DbDataReader result)
        {
            result.Close();
            var table = new DataTable();
            table.Columns.Add("Id", typeof(long));
            table.Columns.Add("Name", typeof(string));
            for (var i = 1L; i <= 3; i++)
            {
                table.Rows.Add(i, $"supplied {i}");
            }

            return table.CreateDataReader();
        }

        public override ValueTask<DbDataReader> ReaderExecutedAsync(
            DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default)
            => ValueTask.FromResult(ReaderExecuted(command, eventData, result));
    }
}

file static class Enumeration
{
    public static async Task EachAsync<T>(this IQueryable<T> query, bool async, Func<T, Task> act, CancellationToken cancellationToken)
    {
        if (async)
        {
            await foreach (var element in query.AsAsyncEnumerable().WithCancellation(cancellationToken))
            {
                await act(element);
            }
        }
        else
        {
            foreach (var element in query)
            {
                await act(element);
            }
        }
    }
}
