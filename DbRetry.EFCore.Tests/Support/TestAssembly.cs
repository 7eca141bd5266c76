using DbRetry.EFCore.Tests.Packaging;

// Tests wait for servers more than they compute: twice the cores of a small machine keeps it busy without distorting timings.
[assembly: Parallelize(Workers = 4, Scope = ExecutionScope.ClassLevel)]

namespace DbRetry.EFCore.Tests.Support;

[TestClass]
public static class TestAssembly
{
    [AssemblyInitialize]
    public static Task PrepareAsync(TestContext context)
    {
        // Synchronous twins block threads of the pool, on which the proxies and their timers depend; the pool itself would grow by one or two a second.
        ThreadPool.SetMinThreads(64, 64);
#if TESTCONTAINERS
        return Containers.ContainerServer.StartAsync(context.CancellationToken);
#else
        return Task.CompletedTask;
#endif
    }

    [AssemblyCleanup]
    public static async Task RemoveWhatIsShared()
    {
        await SharedCluster.DisposeAsync();
        await PackedFeed.DeleteAsync();
    }
}
