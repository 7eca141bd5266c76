using DbRetry.EFCore.Testing;
using DbRetry.EFCore.Tests.Retry;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Testing;

/// <summary>Which fault happens where, without a server.</summary>
[TestClass]
public sealed class FaultScheduleTests
{
    private static readonly DbContextOptions<CounterContext> Nowhere =
        new DbContextOptionsBuilder<CounterContext>().UseNpgsql("Host=nowhere").Options;

    [TestMethod]
    [DataRow("lost before 1", "1", true)]
    [DataRow("lost before 1", "2", false)]
    [DataRow("lost before 1", "commit", false)]
    [DataRow("lost before 2", "1", false)]
    [DataRow("lost before 2", "2", true)]
    [DataRow("lost before commit", "1", false)]
    [DataRow("lost before commit", "1 alone", true)]
    [DataRow("lost before commit", "1 alone, reading", false)]
    [DataRow("lost before commit", "commit", true)]
    [DataRow("lost before commit", "committed", false)]
    [DataRow("acknowledgement", "1 alone", false)]
    [DataRow("acknowledgement", "commit", false)]
    [DataRow("acknowledgement", "committed", true)]
    [DataRow("conflict", "1", false)]
    [DataRow("conflict", "1 alone", true)]
    [DataRow("conflict", "1 alone, reading", false)]
    [DataRow("conflict", "commit", true)]
    [DataRow("conflict", "begin", false)]
    [DataRow("conflict at 2", "2", true)]
    [DataRow("conflict at 2", "commit", false)]
    [DataRow("demoted", "begin", true)]
    [DataRow("demoted", "1", false)]
    [DataRow("demoted", "1 alone", true)]
    [DataRow("demoted", "1 alone, reading", false)]
    [DataRow("demoted", "commit", false)]
    public void A_fault_happens_at_its_place_and_nowhere_else(string fault, string place, bool happens)
    {
        using var context = new CounterContext(Nowhere);
        var faults = new DbRetryFaults();
        switch (fault)
        {
            case "lost before 1":
                faults.LoseConnectionBefore();
                break;
            case "lost before 2":
                faults.LoseConnectionBefore(statement: 2);
                break;
            case "lost before commit":
                faults.LoseConnectionBeforeCommit();
                break;
            case "acknowledgement":
                faults.CommitThenLoseAcknowledgement();
                break;
            case "conflict":
                faults.Conflict();
                break;
            case "conflict at 2":
                faults.Conflict(beforeStatement: 2);
                break;
            default:
                faults.DemotePrimary();
                break;
        }

        Assert.AreEqual(happens, faults.Schedule.Take(Site(context, place)) is not null);
    }

    [TestMethod]
    public void The_fault_that_was_planned_first_happens_first_and_as_often_as_planned()
    {
        using var context = new CounterContext(Nowhere);
        var faults = new DbRetryFaults();
        faults.Conflict(times: 2);
        faults.LoseConnectionBeforeCommit();

        var kinds = Enumerable.Range(0, 4).Select(_ => faults.Schedule.Take(Site(context, "commit"))?.Kind).ToList();

        CollectionAssert.AreEqual(
            new DbRetryFaultKind?[] { DbRetryFaultKind.Conflict, DbRetryFaultKind.Conflict, DbRetryFaultKind.ConnectionLost, null }, kinds);
        CollectionAssert.AreEqual(
            new[] { "Conflict at COMMIT of CounterContext", "Conflict at COMMIT of CounterContext", "ConnectionLost at COMMIT of CounterContext" },
            faults.Injected.Select(fault => fault.ToString()).ToList());
        faults.AssertAllHit();
    }

    [TestMethod]
    public void A_fault_for_one_context_leaves_the_others_alone()
    {
        using var one = new CounterContext(Nowhere);
        using var other = new CounterContext(Nowhere);
        var faults = new DbRetryFaults();
        faults.In(one).Conflict();

        Assert.IsNull(faults.Schedule.Take(Site(other, "commit")));
        Assert.IsNotNull(faults.Schedule.Take(Site(one, "commit")));
        Assert.HasCount(1, faults.Injected);
    }

    [TestMethod]
    public void A_fault_for_every_unit_happens_to_each_of_them_as_often_as_planned()
    {
        using var context = new CounterContext(Nowhere);
        var faults = new DbRetryFaults();
        faults.InEveryUnit().Conflict(times: 2);
        var unit = new UnitHits();
        var site = Site(context, "commit") with { Unit = unit };

        Assert.AreEqual(2, Enumerable.Range(0, 5).Count(_ => faults.Schedule.Take(site) is not null));
        unit.Clear();
        Assert.AreEqual(2, Enumerable.Range(0, 5).Count(_ => faults.Schedule.Take(site) is not null));
        faults.AssertAllHit();
    }

    [TestMethod]
    public void What_was_not_hit_is_named()
    {
        using var context = new CounterContext(Nowhere);
        var faults = new DbRetryFaults();
        faults.Conflict(times: 2);
        faults.CommitThenLoseAcknowledgement();
        faults.In(context).LoseConnectionBefore(statement: 7);
        faults.InEveryUnit().DemotePrimary();
        faults.Schedule.Take(Site(context, "commit"));

        var failure = Assert.ThrowsExactly<InvalidOperationException>(faults.AssertAllHit);

        Assert.AreEqual(
            "Planned, and not hit: a conflict (40001) at COMMIT (1 of 2); a lost acknowledgement of COMMIT (0 of 1); "
            + "a connection lost before statement 7 of one CounterContext (0 of 1); "
            + "a demoted primary in every unit (never hit). Injected: Conflict at COMMIT of CounterContext. "
            + "Does the context that was tested have UseDbRetryFaults(…), and did its unit come that far?",
            failure.Message);

        faults.Clear();
        faults.AssertAllHit();
        Assert.IsEmpty(faults.Injected);
    }

    [TestMethod]
    public async Task As_many_faults_happen_as_were_planned_whoever_comes_first()
    {
        using var context = new CounterContext(Nowhere);
        var faults = new DbRetryFaults();
        faults.Conflict(times: 500);

        var hits = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(
            () => Enumerable.Range(0, 100).Count(_ => faults.Schedule.Take(Site(context, "commit")) is not null))));

        Assert.AreEqual(500, hits.Sum());
        Assert.HasCount(500, faults.Injected);
        faults.AssertAllHit();
    }

    [TestMethod]
    public void A_plan_that_makes_no_sense_is_refused()
    {
        var faults = new DbRetryFaults();

        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => faults.LoseConnectionBefore(statement: 0));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => faults.Conflict(beforeStatement: 0));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => faults.DemotePrimary(times: 0));
        Assert.ThrowsExactly<ArgumentException>(() => faults.Conflict(sqlState: "23505"));
        Assert.ThrowsExactly<ArgumentNullException>(() => faults.In(null!));
        faults.AssertAllHit();
    }

    private static FaultSite Site(DbContext context, string place)
        => place switch
        {
            "begin" => new(FaultMoment.BeforeTransaction, context, new UnitHits()),
            "commit" => new(FaultMoment.BeforeCommit, context, new UnitHits()),
            "committed" => new(FaultMoment.Committed, context, new UnitHits()),
            _ => new(
                FaultMoment.BeforeStatement,
                context,
                new UnitHits(),
                Statement: place[0] - '0',
                IsAlone: place.Contains("alone"),
                MayWrite: !place.Contains("reading")),
        };
}
