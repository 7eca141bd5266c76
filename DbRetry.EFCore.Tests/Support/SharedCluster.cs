using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.EFCore.Tests.Support;

/// <summary>
/// The servers that tests share as long as they break nothing; a test that does starts its own by <see cref="OwnAsync"/>.
/// </summary>
/// <remarks>
/// When the environment variable <c>DBRETRY_TEST_DSN</c> is set to an Npgsql connection string of a role that may create databases,
/// tests that need no more than one server use that one, and tests that must control server processes are inconclusive.
/// </remarks>
internal static class SharedCluster
{
    public const string ServerVariable = "DBRETRY_TEST_DSN";

    private static readonly Lazy<Task<LocalCluster>> Single = new(() => LocalCluster.StartAsync());
    private static readonly Lazy<Task<LocalCluster>> Triple = new(() => LocalCluster.StartAsync(new LocalClusterOptions { Nodes = 3 }));

    public static string? ExternalServer =>
        Environment.GetEnvironmentVariable(ServerVariable) is { Length: > 0 } server ? server : null;

    /// <summary>One local node.</summary>
    public static Task<LocalCluster> SingleAsync() => Local(Single);

    /// <summary>A local primary (node 0) and two streaming standbys.</summary>
    public static Task<LocalCluster> TripleAsync() => Local(Triple);

    /// <summary>A cluster for one test, which may do to it what it likes and must dispose it.</summary>
    public static Task<LocalCluster> OwnAsync(LocalClusterOptions? options = null, CancellationToken cancellationToken = default)
    {
        RequireLocal();
        return LocalCluster.StartAsync(options, cancellationToken);
    }

    /// <summary>A connection string for the maintenance database of one server, wherever it runs.</summary>
    public static async Task<string> ServerAsync() => ExternalServer ?? (await SingleAsync()).NodeConnectionString(0);

    public static async Task DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        foreach (var cluster in new[] { Single, Triple })
        {
            if (cluster is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
            {
                await (await cluster.Value).DisposeAsync();
            }
        }
    }

    /// <summary>Ends the test as inconclusive when servers are not ours to control.</summary>
    public static void RequireLocal()
    {
        if (ExternalServer is not null)
        {
            Assert.Inconclusive($"{ServerVariable} is set, and this test must control server processes.");
        }
    }

    /// <summary>Also where there is one loopback address only.</summary>
    public static void RequireLocalAddresses()
    {
        RequireLocal();
        if (!OperatingSystem.IsLinux())
        {
            Assert.Inconclusive("Only on Linux every address that begins with 127 is the machine's own.");
        }
    }

    private static Task<LocalCluster> Local(Lazy<Task<LocalCluster>> cluster)
    {
        RequireLocal();
        return cluster.Value;
    }
}
