using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Diagnostics;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry.Contention;
using DbRetry.EFCore.Retry.Reporting;
using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace DbRetry.EFCore.Retry;

/// <summary>Runs units, and runs them again while that is safe and useful.</summary>
/// <remarks>
/// Implements the interface itself: EF's base class delays by seconds, blocks threads, stops a second context from retrying through a static,
/// and refuses to run while a transaction is open. <see cref="RetryUnit"/> decides; this only runs, waits and cleans up.
/// </remarks>
internal sealed class DbRetryExecutionStrategy(
    ExecutionStrategyDependencies dependencies,
    ContextSettings context,
    AttemptLog log,
    HostConnectionInterceptor hosts,
    AdmissionGates gates,
    EventReporter reporter,
    TimeProvider time,
    Random random) : IExecutionStrategy
{
    /// <summary>EF prepares queries for being buffered where this is true. It must be the same throughout a context: compiled queries depend on it.</summary>
    public bool RetriesOnFailure { get; private init; }
        = context.Settings is { Buffering: not ResultBuffering.None, MaxRetryCount: > 0 };

    // They may be changed for a part of the context's life (WithRetry).
    private RetrySettings Settings => context.Settings!;

    private DbContext Context => dependencies.CurrentContext.Context;

    public TResult Execute<TState, TResult>(
        TState state, Func<DbContext, TState, TResult> operation, Func<DbContext, TState, ExecutionResult<TResult>>? verifySucceeded)
    {
        ArgumentNullException.ThrowIfNull(operation);
        return !RunsOnce() ? Run(state, operation, verifySucceeded, idempotent: false, requiresPrimary: false)
            : log.IsRunning ? operation(Context, state)
            : RunOnce(state, operation);
    }

    public Task<TResult> ExecuteAsync<TState, TResult>(
        TState state,
        Func<DbContext, TState, CancellationToken, Task<TResult>> operation,
        Func<DbContext, TState, CancellationToken, Task<ExecutionResult<TResult>>>? verifySucceeded,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(operation);
        return !RunsOnce() ? RunAsync(state, operation, verifySucceeded, idempotent: false, requiresPrimary: false, cancellationToken)
            : log.IsRunning ? operation(Context, state, cancellationToken)
            : RunOnceAsync(state, operation, cancellationToken);
    }

    /// <summary>Runs work that may be run again even after it was applied, because it looks first at what there is.</summary>
    internal TResult Repeat<TResult>(bool requiresPrimary, Func<TResult> work)
        => RunsOnce() ? work() : Run(work, static (_, work) => work(), null, idempotent: true, requiresPrimary);

    /// <inheritdoc cref="Repeat"/>
    internal Task<TResult> RepeatAsync<TResult>(bool requiresPrimary, Func<CancellationToken, Task<TResult>> work, CancellationToken cancellationToken)
        => RunsOnce()
            ? work(cancellationToken)
            : RunAsync(work, static (_, work, token) => work(token), null, idempotent: true, requiresPrimary, cancellationToken);

    /// <summary>The same strategy, for the one service that takes <see cref="RetriesOnFailure"/> for a reason to refuse.</summary>
    internal DbRetryExecutionStrategy WithoutBuffering() => new(dependencies, context, log, hosts, gates, reporter, time, random) { RetriesOnFailure = false };

    // In a transaction that somebody else began.
    private TResult RunOnce<TState, TResult>(TState state, Func<DbContext, TState, TResult> operation)
    {
        try
        {
            return operation(Context, state);
        }
        catch (Exception exception) when (StatusRefusedException.Of(exception, Settings.CommitVerification) is { } refused)
        {
            throw refused;
        }
    }

    private async Task<TResult> RunOnceAsync<TState, TResult>(
        TState state, Func<DbContext, TState, CancellationToken, Task<TResult>> operation, CancellationToken cancellationToken)
    {
        try
        {
            return await operation(Context, state, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (StatusRefusedException.Of(exception, Settings.CommitVerification) is { } refused)
        {
            throw refused;
        }
    }

    private TResult Run<TState, TResult>(
        TState state,
        Func<DbContext, TState, TResult> operation,
        Func<DbContext, TState, ExecutionResult<TResult>>? verifySucceeded,
        bool idempotent,
        bool requiresPrimary)
    {
        log.BeginUnit(idempotent, requiresPrimary);
        var saving = SaveInTransactions();
        try
        {
            return Attempt(state, operation, verifySucceeded);
        }
        finally
        {
            Restore(saving);
            log.EndUnit();
        }
    }

    private TResult Attempt<TState, TResult>(
        TState state, Func<DbContext, TState, TResult> operation, Func<DbContext, TState, ExecutionResult<TResult>>? verifySucceeded)
    {
        RetryUnit? unit = null;
        var admission = gates.Any ? Admission(state, operation) : null;
        while (true)
        {
            admission?.Enter();
            log.BeginAttempt();
            log.Admission = admission;
            using var activity = AttemptActivity.Start(unit?.Failures ?? 0);
            try
            {
                var result = operation(Context, state);
                admission?.Leave(conflict: false);
                Succeeded(unit);
                return result;
            }
            catch (Exception exception)
            {
                RetryMetrics.ReportFailure();
                unit ??= new RetryUnit(Settings, log, time, random);
                unit.Judge(exception);
                unit.Report(activity);
                EndTransaction();
                admission = Left(admission, state, operation, unit);

                if (verifySucceeded is not null && unit.IsVerifiable)
                {
                    if (Attempt(state, verifySucceeded, null) is { IsSuccessful: true } verified)
                    {
                        return verified.Result;
                    }

                    unit.VerifiedNotApplied();
                }

                switch (unit.Next())
                {
                    case AfterFailure.Surface:
                        reporter.GaveUp(unit);
                        throw;
                    case AfterFailure.Throw:
                        reporter.GaveUp(unit);
                        throw unit.Error!;
                }
            }

            activity?.Stop();
            var delay = Delay(unit, admission);
            dependencies.Logger.ExecutionStrategyRetrying(unit.Exceptions, delay, async: false);
            reporter.Retrying(Settings, unit, delay);
            time.Wait(delay);
        }
    }

    private async Task<TResult> RunAsync<TState, TResult>(
        TState state,
        Func<DbContext, TState, CancellationToken, Task<TResult>> operation,
        Func<DbContext, TState, CancellationToken, Task<ExecutionResult<TResult>>>? verifySucceeded,
        bool idempotent,
        bool requiresPrimary,
        CancellationToken cancellationToken)
    {
        log.BeginUnit(idempotent, requiresPrimary);
        var saving = SaveInTransactions();
        try
        {
            return await AttemptAsync(state, operation, verifySucceeded, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Restore(saving);
            log.EndUnit();
        }
    }

    // The operation is the caller's code, in the first attempt and in every later one: it runs in the caller's synchronization context.
    private async Task<TResult> AttemptAsync<TState, TResult>(
        TState state,
        Func<DbContext, TState, CancellationToken, Task<TResult>> operation,
        Func<DbContext, TState, CancellationToken, Task<ExecutionResult<TResult>>>? verifySucceeded,
        CancellationToken cancellationToken)
    {
        RetryUnit? unit = null;
        var admission = gates.Any ? Admission(state, operation) : null;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (admission is not null)
            {
                admission.Entered(await admission.EnterAsync(cancellationToken).ConfigureAwait(true));
            }

            log.BeginAttempt();
            log.Admission = admission;
            using var activity = AttemptActivity.Start(unit?.Failures ?? 0);
            try
            {
                var result = await operation(Context, state, cancellationToken).ConfigureAwait(true);
                admission?.Leave(conflict: false);
                Succeeded(unit);
                return result;
            }
            catch (Exception exception)
            {
                RetryMetrics.ReportFailure();
                unit ??= new RetryUnit(Settings, log, time, random);
                unit.Judge(exception);
                unit.Report(activity);
                await EndTransactionAsync().ConfigureAwait(true);
                admission = Left(admission, state, operation, unit);

                if (verifySucceeded is not null && unit.IsVerifiable)
                {
                    if (await AttemptAsync(state, verifySucceeded, null, cancellationToken).ConfigureAwait(true) is { IsSuccessful: true } verified)
                    {
                        return verified.Result;
                    }

                    unit.VerifiedNotApplied();
                }

                switch (unit.Next())
                {
                    case AfterFailure.Surface:
                        reporter.GaveUp(unit);
                        throw;
                    case AfterFailure.Throw:
                        reporter.GaveUp(unit);
                        throw unit.Error!;
                }
            }

            activity?.Stop();
            var delay = Delay(unit, admission);
            dependencies.Logger.ExecutionStrategyRetrying(unit.Exceptions, delay, async: true);
            await reporter.RetryingAsync(Settings, unit, delay, cancellationToken).ConfigureAwait(true);
            await time.WaitAsync(delay, cancellationToken).ConfigureAwait(true);
        }
    }

    private void Succeeded(RetryUnit? unit)
    {
        if (unit is not null)
        {
            reporter.Recovered(unit);
        }
    }

    private UnitAdmission? Left<TState>(UnitAdmission? admission, TState state, Delegate operation, RetryUnit unit)
    {
        admission ??= unit.LostConflict ? Admission(state, operation) : null;
        if (admission is not null)
        {
            admission.Leave(unit.LostConflict, unit.IsStalled);
            admission.IsLastChance = unit.IsLastChance;
        }

        return admission;
    }

    // What the unit runs tells its kind: the application's own code if EF was handed that, else the operation of EF's.
    private UnitAdmission? Admission<TState>(TState state, Delegate operation)
        => Settings.QueueConflicts && hosts.Cluster is { } cluster
            ? new UnitAdmission(gates, new UnitKind(cluster, (state as Delegate ?? operation).Method, Context.GetType()), Settings)
            : null;

    private TimeSpan Delay(RetryUnit unit, UnitAdmission? admission)
        => admission is not null && unit.LostConflict ? admission.Pause(unit.Delay, random.NextDouble()) : unit.Delay;

    // A strategy of this context that is running already owns the retries. In a transaction that somebody else began, only its owner can
    // run the whole again.
    private bool RunsOnce()
    {
        if (log.IsRunning)
        {
            return true;
        }

        var connection = log.Connection ?? ((IInfrastructure<IServiceProvider>)Context).Instance.GetRequiredService<IRelationalConnection>();
        return connection.CurrentTransaction is not null
            || connection is ITransactionEnlistmentManager manager
                && (manager.EnlistedTransaction is not null || manager.CurrentAmbientTransaction is not null);
    }

    // A save of one statement would be committed by the statement itself, and a connection that is lost then always leaves a doubt. In a
    // transaction only COMMIT can: a pooled connection that died unnoticed fails before.
    private bool SaveInTransactions()
    {
        var database = Context.Database;
        if (database.AutoTransactionBehavior is not AutoTransactionBehavior.WhenNeeded)
        {
            return false;
        }

        database.AutoTransactionBehavior = AutoTransactionBehavior.Always;
        return true;
    }

    private void Restore(bool saving)
    {
        // What the work itself has set stays.
        if (saving && Context.Database.AutoTransactionBehavior is AutoTransactionBehavior.Always)
        {
            Context.Database.AutoTransactionBehavior = AutoTransactionBehavior.WhenNeeded;
        }
    }

    // One that the attempt began and left open would make the next attempt's BeginTransaction fail.
    private void EndTransaction()
    {
        try
        {
            log.Connection?.CurrentTransaction?.Dispose();
        }
        catch (Exception)
        {
            // The attempt has failed already, and its failure says more than that of its clean-up.
        }
    }

    /// <inheritdoc cref="EndTransaction"/>
    private async ValueTask EndTransactionAsync()
    {
        try
        {
            if (log.Connection?.CurrentTransaction is { } transaction)
            {
                await transaction.DisposeAsync().ConfigureAwait(false);
            }
        }
        catch (Exception)
        {
            // As above.
        }
    }
}
