using System.Data;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using static DbRetry.EFCore.Tests.Retry.Twin;

namespace DbRetry.EFCore.Tests.Retry;

/// <summary>EF's own helpers on the plugin's strategy, in all their forms.</summary>
[TestClass]
public class ExecuteInTransactionTests
{
    public delegate Task<long> Form(IExecutionStrategy strategy, CounterContext context, Func<Task> work, Func<Task<bool>> verify);

    private const IsolationLevel Level = IsolationLevel.Serializable;

    /// <summary>Each runs the work, which counts up, and returns what the counter then is, or -1 where the form returns nothing.</summary>
    private static readonly Dictionary<string, Form> Forms = new()
    {
        ["action"] = (s, _, work, verify) => Nothing(() => s.ExecuteInTransaction(() => Wait(work()), () => Wait(verify()))),
        ["action, level"] = (s, _, work, verify) => Nothing(() => s.ExecuteInTransaction(() => Wait(work()), () => Wait(verify()), Level)),
        ["func"] = (s, c, work, verify) => Caught(() => s.ExecuteInTransaction(() => Value(c, work), () => Wait(verify()))),
        ["func, level"] = (s, c, work, verify) => Caught(() => s.ExecuteInTransaction(() => Value(c, work), () => Wait(verify()), Level)),
        ["state, action"] = (s, c, work, verify) => Nothing(() => s.ExecuteInTransaction(c, _ => Wait(work()), _ => Wait(verify()))),
        ["state, action, level"] = (s, c, work, verify) => Nothing(() => s.ExecuteInTransaction(c, _ => Wait(work()), _ => Wait(verify()), Level)),
        ["state, func"] = (s, c, work, verify) => Caught(() => s.ExecuteInTransaction(c, state => Value(state, work), _ => Wait(verify()))),
        ["state, func, level"] = (s, c, work, verify) => Caught(() => s.ExecuteInTransaction(c, state => Value(state, work), _ => Wait(verify()), Level)),
        ["async action"] = (s, _, work, verify) => NothingAsync(s.ExecuteInTransactionAsync(work, verify)),
        ["async action, level"] = (s, _, work, verify) => NothingAsync(s.ExecuteInTransactionAsync(work, verify, Level)),
        ["async action, token"] = (s, _, work, verify) => NothingAsync(s.ExecuteInTransactionAsync(_ => work(), _ => verify())),
        ["async action, level, token"] = (s, _, work, verify) => NothingAsync(s.ExecuteInTransactionAsync(_ => work(), _ => verify(), Level)),
        ["async func"] = (s, c, work, verify) => s.ExecuteInTransactionAsync(_ => ValueAsync(c, work), _ => verify()),
        ["async func, level"] = (s, c, work, verify) => s.ExecuteInTransactionAsync(_ => ValueAsync(c, work), _ => verify(), Level),
        ["async state, action"] = (s, c, work, verify) => NothingAsync(s.ExecuteInTransactionAsync(c, (_, _) => work(), (_, _) => verify())),
        ["async state, action, level"] = (s, c, work, verify) => NothingAsync(s.ExecuteInTransactionAsync(c, (_, _) => work(), (_, _) => verify(), Level)),
        ["async state, func"] = (s, c, work, verify) => s.ExecuteInTransactionAsync(c, (state, _) => ValueAsync(state, work), (_, _) => verify()),
        ["async state, func, level"] = (s, c, work, verify) => s.ExecuteInTransactionAsync(c, (state, _) => ValueAsync(state, work), (_, _) => verify(), Level),
    };

    public required TestContext TestContext { get; set; }

    private static IEnumerable<object[]> FormNames => Forms.Keys.Select(name => new object[] { name });

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DynamicData(nameof(FormNames))]
    public async Task Every_form_survives_a_loss_before_and_at_the_commit(string form)
    {
        var async = form.StartsWith("async", StringComparison.Ordinal);
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        bed.Proxy.Arm(
            FaultPoint.AtSql("UPDATE", FaultMoment.AfterProcessed, FaultAction.Reset),
            FaultPoint.AtCommit(FaultMoment.BeforeForward, FaultAction.Cut));
        var attempts = 0;

        var result = await Forms[form](
            context.Database.CreateExecutionStrategy(),
            context,
            () =>
            {
                attempts++;
                Assert.IsNotNull(context.Database.CurrentTransaction);
                return context.IncrementAsync(async);
            },
            () => Task.FromResult(false));

        Assert.AreEqual(2, bed.Proxy.FaultsFired);
        Assert.AreEqual(3, attempts);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
        Assert.AreEqual(form.Contains("func") ? 1 : -1, result);
    }

    [TestMethod]
    [DataRow("func", true)]
    [DataRow("func", false)]
    [DataRow("async func", true)]
    [DataRow("async func", false)]
    public async Task When_nobody_else_knows_the_callers_own_check_settles_a_doubt(string form, bool committed)
    {
        var async = form.StartsWith("async", StringComparison.Ordinal);
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.CommitVerification = CommitVerification.Surface);
        bed.Proxy.Arm(FaultPoint.AtCommit(committed ? FaultMoment.AfterProcessed : FaultMoment.BeforeForward, FaultAction.Cut));
        int attempts = 0, checks = 0;

        var result = await Forms[form](
            context.Database.CreateExecutionStrategy(),
            context,
            () =>
            {
                attempts++;
                return context.IncrementAsync(async);
            },
            async () =>
            {
                checks++;
                return (await bed.AppliedAsync()).Counter == 1;
            });

        Assert.AreEqual((committed ? 1 : 2, 1), (attempts, checks));
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
        Assert.AreEqual(1, result);
    }

    [TestMethod]
    [DataRow("action")]
    [DataRow("async action")]
    public async Task A_check_that_throws_surfaces(string form)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.CommitVerification = CommitVerification.Surface);
        bed.Proxy.Arm(FaultPoint.AtCommit(FaultMoment.BeforeForward, FaultAction.Cut));

        await Assert.ThrowsExactlyAsync<InvalidDataException>(() => Forms[form](
            context.Database.CreateExecutionStrategy(),
            context,
            () => context.IncrementAsync(form.StartsWith("async", StringComparison.Ordinal)),
            () => throw new InvalidDataException()));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_check_whose_connection_is_lost_is_run_again(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.CommitVerification = CommitVerification.Surface);
        bed.Proxy.Arm(
            FaultPoint.AtCommit(FaultMoment.AfterProcessed, FaultAction.Cut),
            FaultPoint.AtSql("FROM counters", FaultMoment.BeforeForward, FaultAction.Reset));
        int attempts = 0, checks = 0;

        await Forms[async ? "async action" : "action"](
            context.Database.CreateExecutionStrategy(),
            context,
            () =>
            {
                attempts++;
                return context.IncrementAsync(async);
            },
            async () =>
            {
                checks++;
                return await context.Counters.Where(counter => counter.N == 1).CountAsync(async) == 1;
            });

        Assert.AreEqual((1, 2), (attempts, checks));
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_deterministic_error_is_not_checked(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();

        var error = await Assert.ThrowsExactlyAsync<PostgresException>(() => Forms[async ? "async action" : "action"](
            context.Database.CreateExecutionStrategy(),
            context,
            () => context.FailAsync(async, "23505"),
            () => throw new InvalidDataException()));

        Assert.AreEqual("23505", error.SqlState);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Plain_Execute_with_a_check_believes_it(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var strategy = context.Database.CreateExecutionStrategy();
        var attempts = 0;

        var result = async
            ? await strategy.ExecuteAsync<int, int>(
                0,
                (_, _, _) =>
                {
                    attempts++;
                    return context.FailAsync(async: true, "40001");
                },
                (_, _, _) => Task.FromResult(new ExecutionResult<int>(true, 42)),
                Cancellation)
            : strategy.Execute<int, int>(
                0,
                (_, _) =>
                {
                    attempts++;
                    return context.Database.ExecuteSqlRaw(RetryTimes.Raise("40001"));
                },
                (_, _) => new ExecutionResult<int>(true, 42));

        Assert.AreEqual((42, 1), (result, attempts));
    }

    private static Task<long> Nothing(Action run)
        => Caught(() =>
        {
            run();
            return -1L;
        });

    private static async Task<long> NothingAsync(Task run)
    {
        await run;
        return -1;
    }

    private static long Value(CounterContext context, Func<Task> work)
    {
        Wait(work());
        return context.Counters.Select(counter => counter.N).Single();
    }

    private static async Task<long> ValueAsync(CounterContext context, Func<Task> work)
    {
        await work();
        return await context.Counters.Select(counter => counter.N).SingleAsync();
    }

    private static void Wait(Task task) => task.GetAwaiter().GetResult();

    private static T Wait<T>(Task<T> task) => task.GetAwaiter().GetResult();
}
