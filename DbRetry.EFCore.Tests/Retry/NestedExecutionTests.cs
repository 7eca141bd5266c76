using DbRetry.EFCore.Tests.Support.Faults;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class NestedExecutionTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_outermost_execution_of_a_context_owns_the_retries(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        int outer = 0, inner = 0;

        await context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            outer++;
            await context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
            {
                if (++inner < 3)
                {
                    await context.FailAsync(async, "40001");
                }
            });
        });

        Assert.AreEqual((3, 3), (outer, inner));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_failure_deep_inside_counts_once_against_the_budget(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.MaxRetryCount = 2);
        bed.Proxy.Arm();

        await Assert.ThrowsAsync<Exception>(() => context.Database.CreateExecutionStrategy().RunAsync(
            async, () => context.Database.CreateExecutionStrategy().RunAsync(async, () => context.FailAsync(async, "40001"))));

        Assert.AreEqual(3, bed.Proxy.Messages.Count(message => message.IsSql("as told")));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Another_context_inside_retries_by_itself(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await using var other = bed.Context();
        var attempts = 0;
        bed.Proxy.Arm(FaultPoint.AtSql("counters", FaultMoment.BeforeForward, FaultAction.Reset));

        await context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            attempts++;
            Assert.AreEqual(1, await other.Counters.CountAsync(async));
        });

        Assert.AreEqual(1, bed.Proxy.FaultsFired);
        Assert.AreEqual(1, attempts, "the outer unit has nothing to do with it");
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task What_another_context_could_not_do_in_its_retries_is_not_retried_again_outside(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.MaxRetryCount = 5);
        await using var other = bed.Context(options => options.MaxRetryCount = 1);
        var attempts = 0;

        await Assert.ThrowsAsync<Exception>(() => context.Database.CreateExecutionStrategy().RunAsync(async, () =>
        {
            attempts++;
            return other.FailAsync(async, "40001");
        }));

        Assert.AreEqual(1, attempts);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task After_a_unit_has_failed_the_context_retries_again(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await Assert.ThrowsExactlyAsync<InvalidDataException>(() => context.Database.CreateExecutionStrategy().RunAsync(
            async, () => Task.FromException(new InvalidDataException())));
        bed.Proxy.Arm(FaultPoint.AtSql("counters", FaultMoment.BeforeForward, FaultAction.Reset));

        Assert.AreEqual(1, await context.Counters.CountAsync(async));
    }
}
