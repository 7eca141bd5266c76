using System.Net.Sockets;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Positions;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>A search over hosts whose answers the test gives.</summary>
internal sealed class OpenSearchBed
{
    public static readonly Exception Refused = new NpgsqlException("refused", new SocketException((int)SocketError.ConnectionRefused));
    public static readonly Exception PoolExhausted = new NpgsqlException("The connection pool has been exhausted, …", new TimeoutException());

    public OpenSearchBed(
        int hosts = 3,
        TimeSpan? poolTimeout = null,
        Action<DbRetryOptions>? configure = null,
        Func<int, CancellationToken, Task<HostSighting?>>? probe = null)
    {
        var options = new DbRetryOptions { MaxRetryCount = 3, FailoverTimeout = TimeSpan.FromSeconds(10) };
        configure?.Invoke(options);
        Settings = RetrySettings.From(options);
        Route = new FakeRoute(FakeRoute.Hosts(hosts), poolTimeout) { Probe = probe };
    }

    public ManualTime Time { get; } = new();

    public Random Random { get; init; } = new(4);

    public RetrySettings Settings { get; }

    public FakeRoute Route { get; }

    public Cluster Cluster => Route.Cluster;

    public AttemptLog Log { get; } = new();

    /// <summary>What each host answers: a <see cref="HostRole"/>, an exception, or null for a role that nobody asked for.</summary>
    public Func<int, object?> Answer { get; set; } = _ => Refused;

    /// <summary>How far the history of each host goes.</summary>
    public Func<int, ReplayState?> Replayed { get; set; } = _ => null;

    /// <summary>The hosts that were tried, with a dash for each wait.</summary>
    public string Steps { get; private set; } = string.Empty;

    public TimeSpan Waited { get; private set; }

    public static PostgresException Server(string sqlState) => new("as it is", "FATAL", "FATAL", sqlState);

    public OpenSearch Start(TargetSession target) => new(Route, target, Settings, Log, Time, Random);

    /// <summary>The host that was found, or the error that it ended in.</summary>
    public object Search(TargetSession target, CommitPosition? readAfter = null)
    {
        Steps = string.Empty;
        var search = Start(target);
        while (true)
        {
            switch (search.Next())
            {
                case OpenStep.Try:
                    Steps += (char)('a' + search.Host);
                    switch (Answer(search.Host))
                    {
                        case Exception exception:
                            search.Failed(exception);
                            break;
                        case var role when search.Accepts(role as HostSighting? ?? (role as HostRole?))
                            && (readAfter is not { } position || search.Shows(position, Replayed(search.Host))):
                            return search.Host;
                    }

                    break;
                case OpenStep.Wait:
                    Steps += '-';
                    Waited += search.Delay;
                    Time.Advance(search.Delay);
                    break;
                default:
                    Assert.AreEqual(OpenStep.Fail, search.Next(), "It has ended.");
                    return search.Error!;
            }
        }
    }

    public void Knows(params HostRole[] roles)
    {
        for (var host = 0; host < roles.Length; host++)
        {
            Cluster.Saw(host, roles[host]);
        }
    }
}
