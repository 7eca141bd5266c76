using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests;

[TestClass]
public class CompiledQueryTests
{
    private static readonly Func<CounterContext, int, CounterContext.Counter?> One =
        EF.CompileQuery((CounterContext context, int id) => context.Counters.AsNoTracking().SingleOrDefault(counter => counter.Id == id));

    private static readonly Func<CounterContext, int, Task<CounterContext.Counter?>> OneAsync =
        EF.CompileAsyncQuery((CounterContext context, int id) => context.Counters.AsNoTracking().SingleOrDefault(counter => counter.Id == id));

    private static readonly Func<CounterContext, IEnumerable<CounterContext.Counter>> Many =
        EF.CompileQuery((CounterContext context) => context.Counters.AsNoTracking());

    private static readonly Func<CounterContext, IAsyncEnumerable<CounterContext.Counter>> ManyAsync =
        EF.CompileAsyncQuery((CounterContext context) => context.Counters.AsNoTracking());

    public required TestContext TestContext { get; set; }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Compiled_queries_are_retried_in_every_context_that_uses_them(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(TestContext.CancellationToken);
        for (var use = 0; use < 2; use++)
        {
            await using var context = bed.Context();
            Lose(bed);
            Assert.AreEqual(1, (async ? await OneAsync(context, 1) : One(context, 1))!.Id);
            Assert.AreEqual(1, bed.Proxy.FaultsFired);

            Lose(bed);
            var count = 0;
            if (async)
            {
                await foreach (var counter in ManyAsync(context))
                {
                    count += counter.Id;
                }
            }
            else
            {
                count = Many(context).Sum(counter => counter.Id);
            }

            Assert.AreEqual(1, count);
            Assert.AreEqual(1, bed.Proxy.FaultsFired);
        }
    }

    private static void Lose(RetryBed bed) => bed.Proxy.Arm(FaultPoint.AtSql("counters", FaultMoment.BeforeForward, FaultAction.Reset));
}
