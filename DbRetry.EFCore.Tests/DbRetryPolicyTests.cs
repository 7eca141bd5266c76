using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using static DbRetry.EFCore.Tests.Retry.Twin;

namespace DbRetry.EFCore.Tests;

/// <summary>Raw Npgsql, without a context; the semantics that the tests of the Python library db-retry pin are among them.</summary>
[TestClass]
public class DbRetryPolicyTests
{
    private const string Increment = "update counters set n = n + 1";

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow("40001", false)]
    [DataRow("40001", true)]
    [DataRow("40P01", true)]
    public async Task A_conflict_is_retried(string sqlState, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var attempts = 0;

        var result = await RunAsync(async, async () =>
        {
            await ExecuteAsync(bed, ++attempts < 3 ? RetryTimes.Raise(sqlState) : Increment);
            return attempts;
        });

        Assert.AreEqual(3, result);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow("40002", false)]
    [DataRow("40002", true)]
    [DataRow("23505", true)]
    [DataRow("42601", true)]
    public async Task A_deterministic_error_is_not(string sqlState, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var attempts = 0;

        var error = await Assert.ThrowsExactlyAsync<PostgresException>(() => RunAsync(async, async () =>
        {
            await ExecuteAsync(bed, RetryTimes.Raise(sqlState));
            return ++attempts;
        }));

        Assert.AreEqual(sqlState, error.SqlState);
        Assert.AreEqual(0, attempts);
    }

    [TestMethod]
    [DataRow(1, false)]
    [DataRow(1, true)]
    [DataRow(5, false)]
    [DataRow(5, true)]
    public async Task Attempts_are_one_more_than_retries_and_then_one_exception_tells_the_story(int retries, bool async)
    {
        var attempts = 0;

        var error = await Assert.ThrowsAsync<RetryLimitExceededException>(() => RunAsync(async, () =>
        {
            attempts++;
            return Task.FromException<int>(RetryUnitTests.Exceptions("conflict"));
        }, retries));

        Assert.AreEqual(retries + 1, attempts);
        Assert.Contains($"failed in each of {retries + 1} attempts", error.Message);
        Assert.DoesNotContain("host was reached", error.Message, "nothing here knows hosts");
        Assert.IsInstanceOfType<PostgresException>(error.InnerException);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task With_0_retries_a_single_host_s_error_surfaces_as_itself(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        bed.Proxy.RefuseConnections();
        var attempts = 0;

        await Assert.ThrowsExactlyAsync<NpgsqlException>(() => RunAsync(async, async () =>
        {
            attempts++;
            await ExecuteAsync(bed, Increment);
            return true;
        }, retries: 0));

        Assert.AreEqual(1, attempts);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_connection_that_is_refused_is_tried_again_until_there_is_one(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        bed.Proxy.RefuseConnections();
        var attempts = 0;

        await RunAsync(async, async () =>
        {
            if (++attempts == 6)
            {
                bed.Proxy.AcceptConnections();
            }

            await ExecuteAsync(bed, Increment);
            return true;
        }, retries: 1);

        Assert.AreEqual(6, attempts, "a run that found no host does not count");
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task When_all_hosts_fail_they_are_tried_until_the_time_is_up(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var second = FaultProxy.Start(bed.Database.ConnectionString);
        bed.Proxy.RefuseConnections();
        second.RefuseConnections();
        var hosts = FaultProxy.Through(bed.ConnectionString, [bed.Proxy, second]);
        var options = new DbRetryOptions { FailoverTimeout = TimeSpan.FromMilliseconds(200) };
        var attempts = 0;

        var error = await Assert.ThrowsAsync<RetryLimitExceededException>(() => RunAsync(async, async () =>
        {
            attempts++;
            await using var connection = new NpgsqlConnection(hosts);
            await connection.OpenAsync(Cancellation);
            return true;
        }, options: options));

        Assert.IsGreaterThan(1, attempts);
        Assert.Contains("FailoverTimeout is 0.2 s", error.Message);
    }

    [TestMethod]
    [DataRow(false, false)]
    [DataRow(false, true)]
    [DataRow(true, false)]
    [DataRow(true, true)]
    public async Task Work_that_lost_its_connection_midway_is_run_again_only_if_it_is_idempotent(bool idempotent, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        bed.Proxy.Arm(FaultPoint.AtSql(Increment, FaultMoment.AfterProcessed, FaultAction.Reset));
        var attempts = 0;
        Task<int> RunIt() => RunAsync(async, async () =>
        {
            attempts++;
            await ExecuteAsync(bed, Increment);
            return attempts;
        }, idempotent: idempotent);

        if (idempotent)
        {
            Assert.AreEqual(2, await RunIt());
        }
        else
        {
            var error = await Assert.ThrowsExactlyAsync<CommitOutcomeUnknownException>(RunIt);
            Assert.IsInstanceOfType<NpgsqlException>(error.InnerException);
            Assert.AreEqual(1, attempts);
        }
    }

    [TestMethod]
    [DataRow("Password=wrong;Username=dbretry_nobody", "28000", false)]
    [DataRow("Password=wrong;Username=dbretry_nobody", "28000", true)]
    [DataRow("Database=dbretry_missing", "3D000", false)]
    [DataRow("Database=dbretry_missing", "3D000", true)]
    public async Task A_server_that_lets_nobody_in_leaves_no_doubt(string settings, string sqlState, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var attempts = 0;

        var error = await Assert.ThrowsExactlyAsync<PostgresException>(() => RunAsync(async, async () =>
        {
            attempts++;
            await using var connection = new NpgsqlConnection($"{bed.ConnectionString};{settings}");
            await connection.OpenAsync(Cancellation);
            return true;
        }));

        Assert.AreEqual(sqlState == "28000" ? "28" : sqlState, sqlState == "28000" ? error.SqlState[..2] : error.SqlState);
        Assert.AreEqual(1, attempts);
    }

    [TestMethod]
    [DataRow("57P03", false)]
    [DataRow("57P03", true)]
    [DataRow("53300", true)]
    public async Task A_server_that_is_starting_or_full_is_waited_for(string sqlState, bool async)
    {
        var attempts = 0;

        var result = await RunAsync(async, () => ++attempts < 3
            ? Task.FromException<int>(new PostgresException("not now", "FATAL", "FATAL", sqlState, routine: "ProcessStartupPacket"))
            : Task.FromResult(attempts));

        Assert.AreEqual(3, result);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Retries_must_not_be_negative(bool async)
    {
        var error = await Assert.ThrowsExactlyAsync<ArgumentOutOfRangeException>(() => RunAsync(async, () => Task.FromResult(1), retries: -1));
        Assert.AreEqual("maxRetryCount", error.ParamName);
        await Assert.ThrowsExactlyAsync<ArgumentOutOfRangeException>(
            () => RunAsync(async, () => Task.FromResult(1), options: new DbRetryOptions { RetryBudget = -1 }));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Options_say_how_often_and_what(bool async)
    {
        var options = new DbRetryOptions { MaxRetryCount = 1, ShouldRetry = exception => exception is InvalidDataException ? true : null };
        var attempts = 0;
        Task<int> FailAsync(int? retries = null) => RunAsync(async, () =>
        {
            attempts++;
            return Task.FromException<int>(new InvalidDataException());
        }, retries, options: options);

        await Assert.ThrowsAsync<RetryLimitExceededException>(() => FailAsync());
        Assert.AreEqual(2, attempts);
        attempts = 0;
        await Assert.ThrowsAsync<RetryLimitExceededException>(() => FailAsync(retries: 4));
        Assert.AreEqual(5, attempts, "the call wins over the options");
    }

    [TestMethod]
    public async Task Cancelling_ends_the_waiting_and_nothing_runs_again()
    {
        using var caller = new CancellationTokenSource();
        var options = new DbRetryOptions { ConflictDelay = TimeSpan.FromHours(1), MaxConflictDelay = TimeSpan.FromHours(1) };
        var attempts = 0;
        var run = DbRetryPolicy.ExecuteAsync(
            async _ =>
            {
                attempts++;
                await Task.Yield();
                throw RetryUnitTests.Exceptions("conflict");
            },
            options: options,
            cancellationToken: caller.Token);
        await Task.Delay(50, Cancellation);

        await caller.CancelAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(() => run);
        Assert.AreEqual(1, attempts);
        await Assert.ThrowsAsync<OperationCanceledException>(
            () => DbRetryPolicy.ExecuteAsync(_ => Task.FromResult(attempts++), cancellationToken: caller.Token));
        Assert.AreEqual(1, attempts);
    }

    [TestMethod]
    public async Task The_work_gets_the_callers_token_and_its_cancellation_surfaces()
    {
        using var caller = new CancellationTokenSource();
        var attempts = 0;

        await Assert.ThrowsAsync<OperationCanceledException>(() => DbRetryPolicy.ExecuteAsync(
            async token =>
            {
                attempts++;
                await caller.CancelAsync();
                token.ThrowIfCancellationRequested();
            },
            idempotent: true,
            cancellationToken: caller.Token));

        Assert.AreEqual(1, attempts);
    }

    [TestMethod]
    public async Task Work_without_a_result_has_its_own_form()
    {
        var attempts = 0;
        DbRetryPolicy.Execute(() =>
        {
            if (++attempts < 2)
            {
                throw RetryUnitTests.Exceptions("conflict");
            }
        });
        await DbRetryPolicy.ExecuteAsync(_ => ++attempts < 4 ? Task.FromException(RetryUnitTests.Exceptions("conflict")) : Task.CompletedTask);

        Assert.AreEqual(4, attempts);
        Assert.ThrowsExactly<ArgumentNullException>(() => DbRetryPolicy.Execute((Action)null!));
        Assert.ThrowsExactly<ArgumentNullException>(() => DbRetryPolicy.Execute((Func<int>)null!));
        await Assert.ThrowsExactlyAsync<ArgumentNullException>(() => DbRetryPolicy.ExecuteAsync((Func<CancellationToken, Task>)null!));
        await Assert.ThrowsExactlyAsync<ArgumentNullException>(() => DbRetryPolicy.ExecuteAsync((Func<CancellationToken, Task<int>>)null!));
    }

    private static Task<T> RunAsync<T>(bool async, Func<Task<T>> work, int? retries = null, bool idempotent = false, DbRetryOptions? options = null)
        => async
            ? DbRetryPolicy.ExecuteAsync(_ => work(), retries, idempotent, options)
            : Caught(() => DbRetryPolicy.Execute(() => work().GetAwaiter().GetResult(), retries, idempotent, options));

    private static async Task ExecuteAsync(RetryBed bed, string sql)
    {
        await using var connection = new NpgsqlConnection(bed.ConnectionString);
        await connection.OpenAsync();
        await connection.ExecuteAsync(sql);
    }
}
