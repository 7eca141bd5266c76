using System.Diagnostics;
using DbRetry.EFCore.Diagnostics;
using DbRetry.EFCore.Retry.Contention;
using DbRetry.EFCore.Tests.Hosts;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace DbRetry.EFCore.Tests.Diagnostics;

/// <summary>What an application sees that collects metrics and traces with OpenTelemetry's SDK. Alone: the meter is the process's.</summary>
[TestClass]
[DoNotParallelize]
public sealed class RetryInstrumentsTests
{
    private readonly List<Metric> _metrics = [];
    private readonly List<Activity> _activities = [];

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_retry_is_counted_by_its_reason_and_its_delay_is_measured(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        using var metrics = Listen();

        await ConflictOnceAsync(context, async);

        var retry = Points(metrics, "dbretry.retries").Single();
        Assert.AreEqual(1, retry.GetSumLong());
        Assert.AreEqual("db.response.status_code=40001, dbretry.failure.kind=conflict", Tags(retry));
        Assert.AreEqual(1, Points(metrics, "dbretry.retry.delay").Single().GetHistogramCount());
        Assert.IsEmpty(Points(metrics, "dbretry.failures"), "Nobody saw it.");
    }

    [TestMethod]
    [DataRow("23505", 3, "db.response.status_code=23505, dbretry.failure.kind=permanent, dbretry.outcome=permanent")]
    [DataRow("40001", 1, "db.response.status_code=40001, dbretry.failure.kind=conflict, dbretry.outcome=exhausted")]
    public async Task A_failure_that_the_caller_saw_is_counted_by_its_reason(string sqlState, int maxRetryCount, string tags)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.MaxRetryCount = maxRetryCount);
        using var metrics = Listen();

        await Assert.ThrowsAsync<Exception>(() => context.FailAsync(async: true, sqlState));

        var failure = Points(metrics, "dbretry.failures").Single();
        Assert.AreEqual(1, failure.GetSumLong());
        Assert.AreEqual(tags, Tags(failure));
    }

    [TestMethod]
    [DataRow(true, "dbretry.commit.verdict=committed")]
    [DataRow(false, "dbretry.commit.verdict=not_committed")]
    public async Task A_verification_is_measured_by_its_verdict(bool committed, string tags)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        context.Items.Add(new() { Name = "one" });
        bed.Proxy.Arm(FaultPoint.AtCommit(committed ? FaultMoment.AfterProcessed : FaultMoment.BeforeForward, FaultAction.Reset));
        using var metrics = Listen();

        await context.SaveAsync(async: true, Cancellation);

        var verification = Points(metrics, "dbretry.commit.verification.duration").Single();
        Assert.AreEqual(1, verification.GetHistogramCount());
        Assert.AreEqual(tags, Tags(verification));
    }

    [TestMethod]
    public void A_failover_is_counted_when_another_host_is_the_primary_than_before()
    {
        var cluster = FakeRoute.Hosts(3);
        using var metrics = Listen();

        cluster.Saw(1, HostRole.Primary);
        cluster.Forget(1);
        cluster.Saw(1, HostRole.Primary);
        Assert.IsEmpty(Points(metrics, "dbretry.failovers"), "It is the same host as before.");

        cluster.Forget(1);
        cluster.Saw(2, HostRole.Primary);
        cluster.Saw(2, HostRole.Primary);

        Assert.AreEqual(1, Points(metrics, "dbretry.failover.duration").Single().GetHistogramCount());
        var failover = Points(metrics, "dbretry.failovers").Single();
        Assert.AreEqual(1, failover.GetSumLong());
        Assert.AreEqual("server.address=c, server.port=5432", Tags(failover));
    }

    [TestMethod]
    public void A_host_that_changes_its_role_is_counted()
    {
        var cluster = FakeRoute.Hosts(3);
        using var metrics = Listen();

        cluster.Saw(1, HostRole.Standby);
        cluster.Forget(1);
        cluster.Saw(1, HostRole.Standby);
        Assert.IsEmpty(Points(metrics, "dbretry.host.role_changes"), "It has the same role as before.");
        cluster.Saw(1, HostRole.Primary);

        var change = Points(metrics, "dbretry.host.role_changes").Single();
        Assert.AreEqual(1, change.GetSumLong());
        Assert.AreEqual("dbretry.host.role=primary, server.address=b, server.port=5432", Tags(change));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Attempts_are_counted_whether_they_succeed_or_not(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        using var metrics = Listen();

        await ConflictOnceAsync(context, async);

        Assert.AreEqual(2, Points(metrics, "dbretry.attempts").Single().GetSumLong());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_wait_for_a_host_is_measured_and_its_probes_are_counted(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.FailoverTimeout = TimeSpan.FromMilliseconds(300));
        bed.Proxy.RefuseConnections();
        using var metrics = Listen();

        await Assert.ThrowsAsync<Exception>(() => context.Counters.CountAsync(async));

        Assert.IsGreaterThanOrEqualTo(1, Points(metrics, "dbretry.host.wait.duration").Single().GetHistogramCount());
        var probes = Points(metrics, "dbretry.probes").Single();
        Assert.IsGreaterThanOrEqualTo(1, probes.GetSumLong());
        Assert.AreEqual($"dbretry.probe.outcome=failed, server.address=127.0.0.1, server.port={bed.Proxy.Port}", Tags(probes));
    }

    [TestMethod]
    public async Task A_unit_that_is_given_up_for_the_budget_is_counted()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.RetryBudget = 1);
        await context.Counters.CountAsync(async: true);
        using var metrics = Listen();

        await Assert.ThrowsAsync<Exception>(() => context.FailAsync(async: true, "57P02"));

        Assert.AreEqual(1, Points(metrics, "dbretry.retry_budget.exhausted").Single().GetSumLong());
    }

    [TestMethod]
    public async Task The_queue_and_the_time_in_it_are_measured()
    {
        var time = new ManualTime();
        var gate = new AdmissionGate(time);
        var first = gate.Enter(AdmissionRank.Alone);
        using var metrics = Listen();

        var second = gate.EnterAsync(AdmissionRank.Loser, Cancellation);
        Assert.AreEqual(1, Points(metrics, "dbretry.queue.length").Single().GetSumLong());
        time.Advance(TimeSpan.FromSeconds(2));
        gate.Leave(first, conflict: false);
        await second;

        Assert.AreEqual(2, Points(metrics, "dbretry.queue.duration").Single().GetHistogramSum());
        Assert.AreEqual(0, Points(metrics, "dbretry.queue.length").Single().GetSumLong());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Every_attempt_is_an_activity_below_that_of_the_caller(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        using var callers = new Activity("caller").SetIdFormat(ActivityIdFormat.W3C);
        callers.ActivityTraceFlags = ActivityTraceFlags.Recorded;
        callers.Start();
        using (Sdk.CreateTracerProviderBuilder().AddSource(RetryInstruments.SourceName).AddInMemoryExporter(_activities).Build())
        {
            await ConflictOnceAsync(context, async);
            Assert.AreSame(callers, Activity.Current);
        }

        var attempts = _activities.Where(activity => activity.ParentSpanId == callers.SpanId).ToArray();
        Assert.HasCount(2, attempts);
        Assert.AreEqual(ActivityStatusCode.Error, attempts[0].Status);
        Assert.AreEqual("1", attempts[0].GetTagItem("dbretry.attempt"));
        Assert.AreEqual("40001", attempts[0].GetTagItem("error.type"));
        Assert.AreEqual("conflict", attempts[0].GetTagItem("dbretry.failure.kind"));
        Assert.AreEqual($"127.0.0.1:{bed.Proxy.Port}", attempts[0].GetTagItem("dbretry.host"));
        Assert.AreEqual(ActivityStatusCode.Unset, attempts[1].Status);
        Assert.AreEqual("2", attempts[1].GetTagItem("dbretry.attempt"));
    }

    private static Task ConflictOnceAsync(CounterContext context, bool async)
    {
        var attempts = 0;
        return context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            if (++attempts == 1)
            {
                await context.FailAsync(async, "40001");
            }
        });
    }

    private MeterProvider Listen()
        => Sdk.CreateMeterProviderBuilder().AddMeter(RetryInstruments.SourceName).AddInMemoryExporter(_metrics).Build();

    private MetricPoint[] Points(MeterProvider provider, string name)
    {
        _metrics.Clear();
        provider.ForceFlush();
        var points = new List<MetricPoint>();
        foreach (var metric in _metrics.Where(metric => metric.Name == name))
        {
            foreach (ref readonly var point in metric.GetMetricPoints())
            {
                points.Add(point);
            }
        }

        return [.. points];
    }

    private static string Tags(MetricPoint point)
    {
        var tags = new List<string>();
        foreach (var tag in point.Tags)
        {
            tags.Add($"{tag.Key}={tag.Value}");
        }

        return string.Join(", ", tags.Order(StringComparer.Ordinal));
    }
}
