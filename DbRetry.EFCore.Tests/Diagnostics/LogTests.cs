using System.Diagnostics;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace DbRetry.EFCore.Tests.Diagnostics;

/// <summary>What an application finds in its log.</summary>
[TestClass]
public sealed class LogTests
{
    private readonly CollectedLog _log = new();

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_conflict_that_was_overcome_is_a_matter_for_debugging(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = Context(bed);

        await FailOnceAsync(context, async, "40001");

        CollectionAssert.AreEqual(
            new[] { DbRetryEventId.AttemptRetried, DbRetryEventId.ConflictsOvercome },
            _log.Lines.Where(line => line.Category == "DbRetry.EFCore.Retry").Select(line => line.Event).ToArray());
        Assert.IsTrue(_log.Lines.Where(line => line.Category == "DbRetry.EFCore.Retry").All(line => line.Level is LogLevel.Debug));
        var retried = _log.Of(DbRetryEventId.AttemptRetried).Single();
        Assert.Contains($"Attempt 1 on 127.0.0.1:{bed.Proxy.Port} failed", retried.Text);
        Assert.Contains("(conflict, SQLSTATE 40001)", retried.Text);
        Assert.IsInstanceOfType<PostgresException>(retried.Exception);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_lost_connection_that_was_survived_is_information_and_no_more(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = Context(bed);
        bed.Proxy.Arm(FaultPoint.AtSql("counters", FaultMoment.BeforeForward, FaultAction.Reset));

        await context.Counters.CountAsync(async);

        var recovered = _log.Of(DbRetryEventId.UnitRecovered).Single();
        Assert.AreEqual(LogLevel.Information, recovered.Level);
        Assert.Contains("in attempt 2", recovered.Text);
        Assert.IsNull(recovered.Exception);
        Assert.IsEmpty(_log.Lines.Where(line => line.Level > LogLevel.Information));
    }

    [TestMethod]
    [DataRow(true, false)]
    [DataRow(true, true)]
    [DataRow(false, false)]
    [DataRow(false, true)]
    public async Task A_doubt_that_was_resolved_is_information(bool committed, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = Context(bed);
        context.Items.Add(new() { Name = "one" });
        bed.Proxy.Arm(FaultPoint.AtCommit(committed ? FaultMoment.AfterProcessed : FaultMoment.BeforeForward, FaultAction.Reset));

        await context.SaveAsync(async, Cancellation);

        var resolved = _log.Of(DbRetryEventId.DoubtResolved).Single();
        Assert.AreEqual(("DbRetry.EFCore.Commits", LogLevel.Information), (resolved.Category, resolved.Level));
        Assert.EndsWith(committed ? ": it is committed." : ": it is not committed.", resolved.Text);
        Assert.HasCount(committed ? 0 : 1, _log.Of(DbRetryEventId.UnitRecovered));
        Assert.IsEmpty(_log.Lines.Where(line => line.Level > LogLevel.Information));
    }

    [TestMethod]
    [DataRow(CommitVerification.Surface, false, false)]
    [DataRow(CommitVerification.Surface, true, false)]
    [DataRow(CommitVerification.TransactionStatus, false, false)]
    [DataRow(CommitVerification.TransactionStatus, true, false)]
    [DataRow(CommitVerification.TransactionStatus, true, true)]
    public async Task An_unknown_outcome_is_one_error(CommitVerification verification, bool async, bool begun)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = Context(bed, options =>
        {
            options.CommitVerification = verification;
            options.FailoverTimeout = TimeSpan.FromMilliseconds(300);
        });
        await using var transaction = begun ? await context.BeginAsync(async) : null;
        context.Items.Add(new() { Name = "one" });
        await context.Database.OpenConnectionAsync(Cancellation);
        bed.Proxy.Arm(FaultPoint.AtCommit(FaultMoment.BeforeForward, FaultAction.Reset));
        bed.Proxy.RefuseConnections();

        await Assert.ThrowsExactlyAsync<CommitOutcomeUnknownException>(async () =>
        {
            await context.SaveAsync(async, Cancellation);
            await transaction!.CommitAsync(async);
        });

        Assert.AreEqual(LogLevel.Error, _log.Of(DbRetryEventId.OutcomeUnknown).Single().Level);
        Assert.IsEmpty(_log.Of(DbRetryEventId.DoubtResolved));
    }

    [TestMethod]
    [DataRow(1, 0, "MaxRetryCount is 1")]
    [DataRow(5, 1, "the RetryBudget of 1")]
    public async Task A_unit_that_is_given_up_is_a_warning_that_says_why(int maxRetryCount, int budget, string why)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = Context(bed, options =>
        {
            options.MaxRetryCount = maxRetryCount;
            options.RetryBudget = budget;
        });
        await context.Database.OpenConnectionAsync(Cancellation);
        await context.Database.CloseConnectionAsync();

        await Assert.ThrowsAsync<RetryLimitExceededException>(() => context.FailAsync(async: true, "57P02"));

        var given = _log.Of(budget == 0 ? DbRetryEventId.RetriesExhausted : DbRetryEventId.RetryBudgetExhausted).Single();
        Assert.AreEqual(LogLevel.Warning, given.Level);
        Assert.Contains($"after 2 attempts", given.Text);
        Assert.Contains(why, given.Text);
    }

    [TestMethod]
    public async Task Why_a_failure_was_not_retried_can_be_looked_up()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = Context(bed);

        await Assert.ThrowsAsync<PostgresException>(() => context.FailAsync(async: true, "23505"));

        var permanent = _log.Of(DbRetryEventId.FailureNotRetried).Single();
        Assert.AreEqual(LogLevel.Debug, permanent.Level);
        Assert.Contains("(permanent, SQLSTATE 23505)", permanent.Text);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_session_that_was_left_behind_and_ended_is_told(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = Context(bed, more: ";Command Timeout=1;Cancellation Timeout=-1");
        bed.Proxy.Arm(FaultPoint.AtSql("UPDATE", FaultMoment.AfterProcessed, FaultAction.BlackHole));

        await context.IncrementAsync(async);

        var ended = _log.Of(DbRetryEventId.SessionEnded).Single();
        Assert.AreEqual(LogLevel.Information, ended.Level);
        Assert.Contains($"127.0.0.1:{bed.Proxy.Port}", ended.Text);
    }

    [TestMethod]
    public async Task No_secret_is_in_any_of_it()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var role = await LimitedRole.CreateAsync(bed, [], Cancellation);
        await using var context = Context(
            bed, options => options.FailoverTimeout = TimeSpan.FromMilliseconds(300), more: $"{role.Login};Persist Security Info=true");
        context.Items.Add(new() { Name = "one" });
        await context.Database.OpenConnectionAsync(Cancellation);
        bed.Proxy.Arm(FaultPoint.AtCommit(FaultMoment.BeforeForward, FaultAction.Reset));
        bed.Proxy.RefuseConnections();

        await Assert.ThrowsAsync<CommitOutcomeUnknownException>(() => context.SaveAsync(async: true, Cancellation));
        await Assert.ThrowsAsync<Exception>(() => context.Counters.CountAsync(async: true));

        Assert.IsGreaterThan(2, _log.Lines.Count);
        Assert.IsEmpty(_log.Lines.Where(line => $"{line.Text}{line.Exception}".Contains(role.Password, StringComparison.Ordinal)));
    }

    [TestMethod]
    public async Task ConfigureWarnings_can_silence_an_event_or_give_it_another_level()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = Context(bed, also: builder => builder.ConfigureWarnings(warnings => warnings
            .Ignore(DbRetryEventId.AttemptRetried)
            .Log((DbRetryEventId.ConflictsOvercome, LogLevel.Critical))));

        await FailOnceAsync(context, async: true, "40001");

        Assert.IsEmpty(_log.Of(DbRetryEventId.AttemptRetried));
        Assert.AreEqual(LogLevel.Critical, _log.Of(DbRetryEventId.ConflictsOvercome).Single().Level);
    }

    [TestMethod]
    public async Task A_warning_that_is_to_be_thrown_does_not_turn_what_was_survived_into_a_failure()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = Context(bed, also: builder => builder.ConfigureWarnings(warnings => warnings
            .Throw(DbRetryEventId.AttemptRetried)));

        await FailOnceAsync(context, async: true, "40001");

        Assert.HasCount(1, _log.Of(DbRetryEventId.AttemptRetried));
    }

    [TestMethod]
    public async Task LogTo_and_the_diagnostic_source_of_EF_hear_of_it_too()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var lines = new List<string>();
        await using var context = Context(bed, also: builder => builder.LogTo(lines.Add, ["DbRetry.EFCore.Retry"], LogLevel.Debug));
        var observed = new Observer();
        using (((DiagnosticListener)context.GetService<DiagnosticSource>()).Subscribe(observed, name => name.StartsWith("DbRetry.", StringComparison.Ordinal)))
        {
            await FailOnceAsync(context, async: true, "40001");
        }

        Assert.HasCount(2, lines);
        Assert.Contains("DbRetryEventId.AttemptRetried[50000]", lines[0]);
        Assert.Contains("SQLSTATE 40001", lines[0]);
        Assert.Contains(DbRetryEventId.AttemptRetried.Name!, observed.Names);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_policy_logs_where_its_options_say(bool async)
    {
        var options = new DbRetryOptions { LoggerFactory = _log.Factory, ConflictDelay = TimeSpan.FromMilliseconds(1) };
        var runs = 0;
        int Work() => ++runs == 1 ? throw RetryUnitTests.Exceptions("conflict") : runs;

        Assert.AreEqual(2, async
            ? await DbRetryPolicy.ExecuteAsync(_ => Task.FromResult(Work()), options: options, cancellationToken: Cancellation)
            : DbRetryPolicy.Execute(Work, options: options));
        Assert.Throws<RetryLimitExceededException>(
            () => DbRetryPolicy.Execute(() => throw RetryUnitTests.Exceptions("conflict"), maxRetryCount: 1, options: options));

        CollectionAssert.AreEqual(
            new[] { DbRetryEventId.AttemptRetried, DbRetryEventId.ConflictsOvercome, DbRetryEventId.AttemptRetried, DbRetryEventId.RetriesExhausted },
            _log.Lines.Select(line => line.Event).ToArray());
    }

    private CounterContext Context(
        RetryBed bed, Action<DbRetryOptions>? configure = null, string more = "", Action<DbContextOptionsBuilder>? also = null)
        => bed.Context(configure, builder =>
        {
            builder.UseNpgsql(bed.ConnectionString + more).UseLoggerFactory(_log.Factory);
            also?.Invoke(builder);
        });

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

    private sealed class Observer : IObserver<KeyValuePair<string, object?>>
    {
        public List<string> Names { get; } = [];

        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }

        public void OnNext(KeyValuePair<string, object?> value) => Names.Add(value.Key);
    }
}
