// Tests wait for servers more than they compute: twice the cores of a small machine keeps it busy without distorting timings.
[assembly: Parallelize(Workers = 4, Scope = ExecutionScope.ClassLevel)]

namespace DbRetry.EFCore.Tests.Support;

[TestClass]
public static class TestAssembly
{
    [AssemblyCleanup]
    public static Task StopSharedServers() => SharedCluster.DisposeAsync();
}
