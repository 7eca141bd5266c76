using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Cluster;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>Contexts on clusters, and which node serves them.</summary>
internal static class HostBed
{
    public static CounterContext Context(
        string dsn,
        Action<DbRetryOptions>? configure = null,
        Action<DbContextOptionsBuilder>? more = null,
        Action<NpgsqlDbContextOptionsBuilder>? npgsql = null)
        => Build(builder =>
        {
            builder.UseNpgsql(dsn, npgsql).UseDbRetry(RetryBed.Quick).UseDbRetry(configure);
            more?.Invoke(builder);
        });

    public static CounterContext Build(Action<DbContextOptionsBuilder> configure)
    {
        var builder = new DbContextOptionsBuilder<CounterContext>();
        builder.ConfigureWarnings(warnings => warnings.Ignore(CoreEventId.ManyServiceProvidersCreatedWarning));
        configure(builder);
        return new CounterContext(builder.Options);
    }

    /// <summary>The port of the server that answers, as it sees itself.</summary>
    public static async Task<int> PortAsync(this DbContext context, bool async, CancellationToken cancellationToken = default)
    {
        var query = context.Database.SqlQueryRaw<int>("select inet_server_port() as \"Value\"");
        return (await query.ListAsync(async, cancellationToken)).Single();
    }

    public static Task<bool> IsPrimaryAsync(this DbContext context, CancellationToken cancellationToken = default)
        => context.Database.SqlQueryRaw<bool>("select not pg_is_in_recovery() as \"Value\"").SingleAsync(cancellationToken);

    /// <summary>The node of the cluster that answers.</summary>
    public static async Task<int> NodeAsync(this DbContext context, LocalCluster cluster, bool async, CancellationToken cancellationToken = default)
    {
        var port = await context.PortAsync(async, cancellationToken);
        return Enumerable.Range(0, cluster.NodeCount).Single(node => cluster.Port(node) == port);
    }

    public static string Uri(LocalCluster cluster, string parameters, string database = "postgres")
        => $"postgresql://postgres@{string.Join(',', Enumerable.Range(0, cluster.NodeCount).Select(node => $"127.0.0.1:{cluster.Port(node)}"))}"
            + $"/{database}{(parameters.Length == 0 ? string.Empty : $"?{parameters}")}";
}
