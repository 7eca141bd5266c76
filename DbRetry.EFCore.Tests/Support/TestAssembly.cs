// Tests wait for servers more than they compute: twice the cores of a small machine keeps it busy without distorting timings.
[assembly: Parallelize(Workers = 4, Scope = ExecutionScope.ClassLevel)]

namespace DbRetry.EFCore.Tests.Support;

[TestClass]
public static class TestAssembly
{
    // Synchronous twins block threads of the pool, on which the proxies and their timers depend; the pool itself would grow by one or two a second.
    [AssemblyInitialize]
    public static void HaveThreadsToBlock(TestContext context) => ThreadPool.SetMinThreads(64, 64);

    [AssemblyCleanup]
    public static Task StopSharedServers() => SharedCluster.DisposeAsync();
}
