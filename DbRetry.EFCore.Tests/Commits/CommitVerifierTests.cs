using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Hosts;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;
using static DbRetry.EFCore.Tests.Commits.Incarnations;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>Which hosts are asked what became of a transaction, and which need not be. Nobody listens where they would be asked.</summary>
[TestClass]
public sealed class CommitVerifierTests
{
    private const string Standby = "cannot be asked: a standby (in recovery)";

    private static readonly RetrySettings Settings = RetrySettings.From(new DbRetryOptions());

    private readonly ManualTime _time = new();
    private readonly FakeRoute _route;

    public CommitVerifierTests()
        => _route = new FakeRoute(FakeRoute.Hosts(3)) { Probe = static (_, _) => Task.FromResult<HostSighting?>(HostRole.Standby) };

    public required TestContext TestContext { get; set; }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task A_standby_that_was_heard_while_the_primary_was_replaced_is_not_asked_what_became_of_a_COMMIT(bool async)
    {
        await HearAsync();
        _route.Cluster.Saw(1, HostRole.Primary);

        var answers = await VerifyAsync(async, lostOn: 0);

        Assert.Contains($"c:5432 {Standby}", answers);
        Assert.DoesNotContain($"b:5432 {Standby}", answers, "It was one when it was heard, and now it is the one that knows.");
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Where_no_other_primary_is_known_what_was_heard_before_the_COMMIT_was_lost_does_not_count(bool async)
    {
        await HearAsync();
        _time.Advance(TimeSpan.FromMilliseconds(1));
        _route.Cluster.Saw(1, HostRole.Primary);

        Assert.DoesNotContain(Standby, await VerifyAsync(async, lostOn: 1));
    }

    // Every host says that it is a standby.
    private async Task HearAsync()
    {
        using (_route.Cluster.Prober.Enter(_route, TargetSession.ReadWrite, Settings, TimeSpan.Zero, _time, new Random(1), blocking: false))
        {
            await Poll.UntilAsync(
                () => Enumerable.Range(0, 3).All(host => _route.Cluster.Prober.WhyNoPrimary(host, long.MinValue, _time) is not null),
                TimeSpan.FromSeconds(30),
                () => "not all were heard",
                TestContext.CancellationToken);
        }
    }

    private async Task<string> VerifyAsync(bool async, int lostOn)
    {
        await using var lost = new NpgsqlConnection("Host=127.0.0.1;Port=1");
        var verifier = new CommitVerifier(new StatusProof(Identity(Then)), _route, lostOn, lost, Settings, _time, new Random(1), since: -TimeSpan.FromHours(1).Ticks);
        return (async ? await verifier.VerifyAsync(TestContext.CancellationToken) : verifier.Verify()).Answers;
    }
}
