using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class BufferingTests
{
    private const int Rows = 200;

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(ResultBuffering.ReadAhead, 3, true)]
    [DataRow(ResultBuffering.Full, 3, true)]
    [DataRow(ResultBuffering.None, 3, false)]
    [DataRow(ResultBuffering.Full, 0, false)]
    [DataRow(ResultBuffering.None, 0, false)]
    public async Task EF_prepares_to_buffer_when_it_is_wanted_and_there_are_retries_and_that_never_changes(
        ResultBuffering buffering, int retries, bool buffers)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options =>
        {
            options.Buffering = buffering;
            options.MaxRetryCount = retries;
        });

        Assert.AreEqual(buffers, context.Database.CreateExecutionStrategy().RetriesOnFailure);
        context.Database.CreateExecutionStrategy().Execute(() => Assert.AreEqual(buffers, context.Database.CreateExecutionStrategy().RetriesOnFailure));
        await using (await context.BeginAsync(async: true))
        {
            Assert.AreEqual(buffers, context.Database.CreateExecutionStrategy().RetriesOnFailure);
        }
    }

    [TestMethod]
    [DataRow(ResultBuffering.ReadAhead, false)]
    [DataRow(ResultBuffering.ReadAhead, true)]
    [DataRow(ResultBuffering.Full, false)]
    [DataRow(ResultBuffering.Full, true)]
    public async Task A_buffered_result_that_breaks_in_the_middle_is_read_again(ResultBuffering buffering, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await FillAsync(bed);
        await using var context = bed.Context(options => options.Buffering = buffering);
        BreakInTheMiddle(bed);

        var names = await context.Items.AsNoTracking().OrderBy(item => item.Id).Select(item => item.Name).ListAsync(async, Cancellation);

        Assert.AreEqual(1, bed.Proxy.FaultsFired);
        Assert.HasCount(Rows, names);
        Assert.HasCount(Rows, names.Distinct());
    }

    [TestMethod]
    [DataRow(ResultBuffering.ReadAhead, 'C', false)]
    [DataRow(ResultBuffering.ReadAhead, 'C', true)]
    [DataRow(ResultBuffering.ReadAhead, 'Z', false)]
    [DataRow(ResultBuffering.ReadAhead, 'Z', true)]
    [DataRow(ResultBuffering.Full, 'C', false)]
    [DataRow(ResultBuffering.Full, 'Z', true)]
    public async Task A_buffered_result_that_falls_silent_at_its_end_is_no_slow_command_but_a_lost_connection(
        ResultBuffering buffering, char message, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await FillAsync(bed);
        await using var context = bed.Context(options => options.Buffering = buffering, more: builder => builder.UseNpgsql($"{bed.ConnectionString};Command Timeout=1;Cancellation Timeout=-1"));
        Assert.AreEqual(1L, await context.Counters.CountAsync(async));
        await context.Database.OpenConnectionAsync(Cancellation);
        bed.Proxy.Arm(new FaultPoint(passing => passing.Sender == Sender.Backend && passing.Type == message, FaultMoment.BeforeForward, FaultAction.BlackHole));

        var names = await context.Items.AsNoTracking().OrderBy(item => item.Id).Select(item => item.Name).ListAsync(async, Cancellation);

        Assert.AreEqual(1, bed.Proxy.FaultsFired);
        Assert.HasCount(Rows, names);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_streamed_result_gives_its_first_rows_before_the_last_arrive_and_its_failure_surfaces(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await FillAsync(bed);
        await using var context = bed.Context(options => options.Buffering = ResultBuffering.None);
        BreakInTheMiddle(bed);
        var query = context.Items.AsNoTracking().OrderBy(item => item.Id);
        var seen = 0;

        var error = await Assert.ThrowsAsync<NpgsqlException>(async () =>
        {
            if (async)
            {
                await foreach (var item in query.AsAsyncEnumerable().WithCancellation(Cancellation))
                {
                    seen += item.Name.Length > 0 ? 1 : 0;
                }
            }
            else
            {
                foreach (var item in query)
                {
                    seen += item.Name.Length > 0 ? 1 : 0;
                }
            }
        });

        Assert.IsGreaterThan(0, seen);
        Assert.IsLessThan(Rows, seen);
        Assert.IsTrue(error.IsTransient);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_start_of_a_streamed_result_is_retried(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await FillAsync(bed);
        await using var context = bed.Context(options => options.Buffering = ResultBuffering.None);
        bed.Proxy.Arm(FaultPoint.AtSql("items", FaultMoment.BeforeForward, FaultAction.Reset));

        Assert.HasCount(Rows, await context.Items.ListAsync(async, Cancellation));
        Assert.AreEqual(1, bed.Proxy.FaultsFired);
    }

    // Long names, so that Npgsql cannot have read all rows with the first.
    private static Task FillAsync(RetryBed bed)
        => bed.Database.ExecuteAsync($"insert into items(name) select i || repeat('x', 2000) from generate_series(1, {Rows}) i");

    private static void BreakInTheMiddle(RetryBed bed)
    {
        var rows = -1;
        bed.Proxy.Arm(new FaultPoint(
            message =>
            {
                rows = message.IsSql("items") ? 0 : rows;
                return rows >= 0 && message is { Sender: Sender.Backend, Type: 'D' } && ++rows == Rows / 2;
            },
            FaultMoment.BeforeForward,
            FaultAction.Cut));
    }
}
