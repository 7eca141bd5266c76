#pragma warning disable EF1001 // NpgsqlExecutionStrategyFactory is what a context without DbRetry would have.
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry.Contention;
using DbRetry.EFCore.Retry.Reporting;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql.EntityFrameworkCore.PostgreSQL.Storage.Internal;

namespace DbRetry.EFCore.Retry;

/// <summary>Gives a context DbRetry's strategy, or the provider's own where DbRetry was not asked for.</summary>
internal sealed class DbRetryExecutionStrategyFactory(
    ExecutionStrategyDependencies dependencies,
    ContextSettings context,
    AttemptLog log,
    HostConnectionInterceptor hosts,
    AdmissionGates gates,
    EventReporter reporter,
    TimeProvider time,
    Random random) : IExecutionStrategyFactory
{
    // It keeps nothing to itself, so that one serves all units of its context.
    private DbRetryExecutionStrategy? _strategy;

    public IExecutionStrategy Create()
        => context.Settings is not null
            ? _strategy ??= new DbRetryExecutionStrategy(dependencies, context, log, hosts, gates, reporter, time, random)
            : new NpgsqlExecutionStrategyFactory(dependencies).Create();
}
