using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Retry.Reporting;
using DbRetry.EFCore.Tests.Diagnostics;
using DbRetry.EFCore.Tests.Hosts;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry.Reporting;

[TestClass]
public sealed class CallbackTests
{
    private readonly List<string> _calls = [];

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_retry_is_reported_with_what_went_wrong_and_where(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var events = new List<RetryEvent>();
        await using var context = bed.Context(options =>
        {
            options.OnRetry = events.Add;
            options.OnRetryAsync = async (happened, _) =>
            {
                await Task.Yield();
                events.Add(happened);
            };
        });

        await FailOnceAsync(context, async, "40001");

        Assert.HasCount(async ? 2 : 1, events, "The asynchronous form is for asynchronous operations.");
        foreach (var retry in events)
        {
            Assert.AreEqual((1, FailureKind.Conflict, "40001"), (retry.Attempt, retry.Failure, retry.SqlState));
            Assert.AreEqual($"127.0.0.1:{bed.Proxy.Port}", retry.Host);
            Assert.IsInstanceOfType<PostgresException>(retry.Exception);
        }
    }

    [TestMethod]
    [DataRow(true, false)]
    [DataRow(true, true)]
    [DataRow(false, false)]
    [DataRow(false, true)]
    public async Task A_doubt_is_reported_with_its_outcome_before_the_unit_goes_on(bool committed, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options =>
        {
            options.OnDoubtResolved = doubt => _calls.Add($"{doubt.Outcome} {doubt.TransactionId is not null} {doubt.Host == $"127.0.0.1:{bed.Proxy.Port}"}");
            options.OnDoubtResolvedAsync = async (doubt, _) =>
            {
                await Task.Yield();
                _calls.Add($"async {doubt.Outcome}");
            };
            options.OnRetry = retry => _calls.Add($"retry {retry.Failure}");
        });
        context.Items.Add(new() { Name = "one" });
        bed.Proxy.Arm(FaultPoint.AtCommit(committed ? FaultMoment.AfterProcessed : FaultMoment.BeforeForward, FaultAction.Reset));

        await context.SaveAsync(async, Cancellation);

        List<string> expected = [committed ? "Committed True True" : "NotCommitted True True"];
        expected.AddRange(async ? [committed ? "async Committed" : "async NotCommitted"] : []);
        expected.AddRange(committed ? [] : ["retry LostConnection"]);
        CollectionAssert.AreEqual(expected, _calls);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_doubt_that_stays_is_reported_as_unknown(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options =>
        {
            options.FailoverTimeout = TimeSpan.FromMilliseconds(300);
            options.OnDoubtResolved = doubt => _calls.Add($"{doubt.Outcome}: {doubt.Answers}");
        });
        context.Items.Add(new() { Name = "one" });
        await context.Database.OpenConnectionAsync(Cancellation);
        bed.Proxy.Arm(FaultPoint.AtCommit(FaultMoment.BeforeForward, FaultAction.Reset));
        bed.Proxy.RefuseConnections();

        await Assert.ThrowsExactlyAsync<CommitOutcomeUnknownException>(() => context.SaveAsync(async, Cancellation));

        Assert.StartsWith($"Unknown: 127.0.0.1:{bed.Proxy.Port} cannot be asked", _calls.Single());
    }

    [TestMethod]
    [DataRow("throws", false)]
    [DataRow("throws", true)]
    [DataRow("throws async", true)]
    [DataRow("cancels", true)]
    public async Task What_a_callback_throws_is_logged_and_cannot_break_the_unit(string how, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var log = new CollectedLog();
        await using var context = bed.Context(
            options =>
            {
                options.OnRetry = how == "throws" ? _ => throw new ApplicationException(how) : null;
                options.OnRetryAsync = how switch
                {
                    "throws" => null,
                    "cancels" => (_, _) => throw new OperationCanceledException(how),
                    _ => ThrowLaterAsync,
                };
            },
            builder => builder.UseLoggerFactory(log.Factory));

        await FailOnceAsync(context, async, "40001");

        var failed = log.Of(DbRetryEventId.CallbackFailed).Single();
        Assert.AreEqual(how, failed.Exception!.Message);
        Assert.Contains(how == "throws" ? "OnRetry threw" : "OnRetryAsync threw", failed.Text);
    }

    [TestMethod]
    public async Task A_callback_that_hangs_does_not_keep_a_caller_who_cancels()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        await using var context = bed.Context(options => options.OnRetryAsync = async (_, _) =>
        {
            await cancellation.CancelAsync();
            await new TaskCompletionSource().Task;
        });

        await Assert.ThrowsAsync<OperationCanceledException>(() => context.Database.CreateExecutionStrategy().RunAsync(
            async: true, () => context.FailAsync(async: true, "40001"), cancellation.Token));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_policy_calls_them_too(bool async)
    {
        var options = new DbRetryOptions
        {
            OnRetry = retry => _calls.Add($"{retry.Failure} {retry.Host is null}"),
            OnRetryAsync = (retry, _) =>
            {
                _calls.Add($"async {retry.Attempt}");
                return ValueTask.CompletedTask;
            },
        };
        var runs = 0;
        int Work() => ++runs == 1 ? throw RetryUnitTests.Exceptions("conflict") : runs;

        _ = async
            ? await DbRetryPolicy.ExecuteAsync(_ => Task.FromResult(Work()), options: options, cancellationToken: Cancellation)
            : DbRetryPolicy.Execute(Work, options: options);

        CollectionAssert.AreEqual(async ? ["Conflict True", "async 1"] : new[] { "Conflict True" }, _calls);
    }

    [TestMethod]
    public async Task A_failover_is_reported_once_to_each_callback_whoever_notices_it()
    {
        var cluster = FakeRoute.Hosts(3);
        var reporter = EventReporter.Of(null);
        RetrySettings Settings(string name) => RetrySettings.From(name switch
        {
            "one" => new DbRetryOptions { OnFailover = failover => _calls.Add($"one {failover.PreviousHost} {failover.Host}") },
            "two" => new DbRetryOptions
            {
                OnFailover = failover => _calls.Add($"two {failover.Host}"),
                OnFailoverAsync = (failover, _) =>
                {
                    _calls.Add($"two async {failover.Host}");
                    return ValueTask.CompletedTask;
                },
            },
            _ => new DbRetryOptions(),
        });

        cluster.Saw(0, HostRole.Primary);
        reporter.Noticed(Settings("one"), cluster);
        Assert.IsEmpty(_calls, "There was none.");

        cluster.Forget(0);
        cluster.Saw(1, HostRole.Primary);
        for (var context = 0; context < 3; context++)
        {
            // The options of a context are built anew each time.
            reporter.Noticed(Settings("none"), cluster);
            reporter.Noticed(Settings("one"), cluster);
            reporter.Noticed(Settings("two"), cluster);
            await reporter.NoticedAsync(Settings("two"), cluster, Cancellation);
        }

        CollectionAssert.AreEqual(new[] { "one a:5432 b:5432", "two b:5432", "two async b:5432" }, _calls);

        cluster.Saw(2, HostRole.Primary);
        reporter.Noticed(Settings("one"), cluster);
        Assert.AreEqual("one b:5432 c:5432", _calls[^1]);
    }

    private static async ValueTask ThrowLaterAsync(RetryEvent happened, CancellationToken cancellationToken)
    {
        await Task.Yield();
        throw new ApplicationException("throws async");
    }

    private static Task FailOnceAsync(CounterContext context, bool async, string sqlState)
    {
        var attempts = 0;
        return context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            if (++attempts == 1)
            {
                await context.FailAsync(async, sqlState);
            }
        });
    }
}
