using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>A message of an operation, and what happens to its connection there.</summary>
internal sealed record SweepPoint(SweepOperation Operation, bool Async, ProxiedMessage Message, FaultMoment Moment, FaultAction Action)
{
    public override string ToString() => $"{Moment} {Message}";
}

/// <summary>What came of it.</summary>
internal sealed record SweepResult(SweepPoint Point, SweepOutcome Outcome, Exception? Error);

/// <summary>A database and a proxy in front of it, where one operation at a time meets its fault.</summary>
internal sealed class SweepLane : IAsyncDisposable
{
    private readonly RetryBed _bed;
    private readonly string _connectionString;
    private readonly DbContextOptions<CounterContext> _options;

    private SweepLane(RetryBed bed, Action<DbRetryOptions> configure)
    {
        _bed = bed;
        _connectionString =
            $"{bed.Proxy.Through(bed.Database.ConnectionString)};Command Timeout=1;Cancellation Timeout=-1;Timeout=1;Maximum Pool Size=4";
        _options = new DbContextOptionsBuilder<CounterContext>()
            .UseNpgsql(_connectionString, npgsql => npgsql.MaxBatchSize(SweepOperation.BatchSize))
            .UseDbRetry(RetryBed.Quick).UseDbRetry(configure).Options;
    }

    public static async Task<SweepLane> CreateAsync(
        Action<DbRetryOptions> configure, CancellationToken cancellationToken, LocalCluster? cluster = null)
        => new(await RetryBed.CreateAsync(cancellationToken, cluster), configure);

    /// <summary>What passes while nothing fails.</summary>
    public async Task<IReadOnlyList<ProxiedMessage>> RecordAsync(SweepOperation operation, bool async)
    {
        await _bed.ClearAsync();

        // The first run does what is done once in a process, too.
        Assert.IsNull(await RunAsync(operation, async), "Without a fault it must work.");
        await _bed.ClearAsync();
        _bed.Proxy.Arm();
        Assert.IsNull(await RunAsync(operation, async), "And again.");
        var messages = _bed.Proxy.Messages.ToList();
        Assert.AreEqual((operation.Counter, operation.Items), await _bed.AppliedAsync());
        return messages;
    }

    /// <summary>Runs the operation with the fault; <see langword="null"/> if it did not come to pass.</summary>
    public async Task<SweepResult?> FailAsync(SweepPoint point)
    {
        await _bed.ClearAsync();
        await WarmAsync();

        // Both sides talk at once now and then, so the same number may be the other side's this time.
        _bed.Proxy.Arm(new FaultPoint(
            passing => passing.Number >= point.Message.Number && passing.Sender == point.Message.Sender, point.Moment, point.Action));
        var error = await RunAsync(point.Operation, point.Async);
        if (_bed.Proxy.FaultsFired == 0)
        {
            return null;
        }

        _bed.Proxy.Arm();
        var applied = await _bed.AppliedAsync();
        if (point.Action.Kind is FaultKind.BlackHole)
        {
            EndSilence();
        }

        return new(point, Judge(point.Operation, applied, error), error);
    }

    public ValueTask DisposeAsync() => _bed.DisposeAsync();

    // What nobody could run again has left its session and its locks behind, on purpose.
    private void EndSilence()
    {
        using var connection = new NpgsqlConnection(_connectionString);
        NpgsqlConnection.ClearPool(connection);
        _bed.Proxy.FailAll(FaultAction.Reset);
    }

    // So that the sweep begins at the operation's own first message and not at the connection's.
    private async Task WarmAsync()
    {
        await using var context = new CounterContext(_options);
        _ = await context.Counters.CountAsync();
    }

    private async Task<Exception?> RunAsync(SweepOperation operation, bool async)
    {
        await using var context = new CounterContext(_options);
        try
        {
            await operation.Run(context, async);
            return null;
        }
        catch (Exception exception)
        {
            return exception;
        }
    }

    private static SweepOutcome Judge(SweepOperation operation, (long Counter, long Items) applied, Exception? error)
        => (error, applied) switch
        {
            _ when applied.Counter > operation.Counter || applied.Items > operation.Items => SweepOutcome.AppliedTwice,
            (null, _) when applied == (operation.Counter, operation.Items) => SweepOutcome.ExactlyOnce,
            (null, _) => SweepOutcome.LostSilently,
            (not null, (0, 0)) => operation.MayFail ? SweepOutcome.FailedCleanly : SweepOutcome.FailedNeedlessly,
            _ => SweepOutcome.AppliedButThrew,
        };
}
