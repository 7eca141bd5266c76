#pragma warning disable EF1001 // NpgsqlMigrator is what IMigrator is for this provider.
using System.Diagnostics.CodeAnalysis;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql.EntityFrameworkCore.PostgreSQL.Migrations.Internal;

namespace DbRetry.EFCore.Seams;

/// <summary>Runs a migration on a primary, and as a whole that is repeated after a lost connection at any step.</summary>
/// <remarks>
/// Leans on EFCore.Relational/Migrations/Internal/Migrator.cs: it looks first at which migrations are applied, and applies each together
/// with its row in the history. Its own first query and its outer open would otherwise run outside any strategy.
/// </remarks>
internal sealed class RetryingMigrator(IServiceProvider services, IExecutionStrategyFactory strategies) : IMigrator
{
    private const string Untrimmed = "EF's migrations look at types that trimming may remove.";
    private const string Uncompiled = "EF's migrations make code at run time.";

    // In an open transaction the stock migrator refuses any strategy that says it retries; ours runs once there, so it may.
    private readonly NpgsqlMigrator _inner = strategies.Create() is DbRetryExecutionStrategy strategy
        ? ActivatorUtilities.CreateInstance<NpgsqlMigrator>(services, strategy.WithoutBuffering())
        : ActivatorUtilities.CreateInstance<NpgsqlMigrator>(services);

    [RequiresUnreferencedCode(Untrimmed)]
    [RequiresDynamicCode(Uncompiled)]
    public void Migrate(string? targetMigration = null)
    {
        if (strategies.Create() is DbRetryExecutionStrategy strategy)
        {
            strategy.Repeat(requiresPrimary: true, () =>
            {
                _inner.Migrate(targetMigration);
                return true;
            });
        }
        else
        {
            _inner.Migrate(targetMigration);
        }
    }

    [RequiresUnreferencedCode(Untrimmed)]
    [RequiresDynamicCode(Uncompiled)]
    public Task MigrateAsync(string? targetMigration = null, CancellationToken cancellationToken = default)
        => strategies.Create() is DbRetryExecutionStrategy strategy
            ? strategy.RepeatAsync(
                requiresPrimary: true,
                async token =>
                {
                    await _inner.MigrateAsync(targetMigration, token).ConfigureAwait(false);
                    return true;
                },
                cancellationToken)
            : _inner.MigrateAsync(targetMigration, cancellationToken);

    [RequiresUnreferencedCode(Untrimmed)]
    [RequiresDynamicCode(Uncompiled)]
    public string GenerateScript(
        string? fromMigration = null, string? toMigration = null, MigrationsSqlGenerationOptions options = MigrationsSqlGenerationOptions.Default)
        => _inner.GenerateScript(fromMigration, toMigration, options);

    [RequiresDynamicCode(Uncompiled)]
    public bool HasPendingModelChanges() => _inner.HasPendingModelChanges();
}
