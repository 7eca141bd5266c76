using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry;

/// <summary>A database with one counter and no items behind a proxy that can fail, and contexts that reach it through that proxy.</summary>
internal sealed class RetryBed : IAsyncDisposable
{
    private RetryBed(TestDatabase database)
    {
        Database = database;
        Proxy = FaultProxy.Start(database.ConnectionString);
        ConnectionString = $"{Proxy.Through(database.ConnectionString)};Pooling=false";
    }

    public TestDatabase Database { get; }

    public FaultProxy Proxy { get; }

    /// <summary>Through the proxy, without a pool: every attempt passes every step of a connection.</summary>
    public string ConnectionString { get; }

    /// <summary>On the server that tests share, or on a cluster that breaks no others.</summary>
    public static async Task<RetryBed> CreateAsync(CancellationToken cancellationToken, LocalCluster? cluster = null)
    {
        var database = cluster is null ? await TestDatabase.CreateAsync(cancellationToken) : await TestDatabase.CreateAsync(cluster, cancellationToken);
        await database.ExecuteAsync(CounterContext.Schema, cancellationToken);
        return new RetryBed(database);
    }

    /// <summary>Retries are quick, so that a sweep over many faults is, too. No probe of a slow server comes in between, where messages are counted.</summary>
    public static void Quick(DbRetryOptions options)
    {
        options.AbandonSilentHosts = false;
        options.ReconnectDelay = TimeSpan.FromMilliseconds(1);
        options.MaxReconnectDelay = TimeSpan.FromMilliseconds(5);
        options.ConflictDelay = TimeSpan.FromMilliseconds(1);
        options.RetryBudget = 0;
    }

    public CounterContext Context(Action<DbRetryOptions>? configure = null, Action<DbContextOptionsBuilder>? more = null)
        => Build(builder =>
        {
            builder.UseNpgsql(ConnectionString).UseDbRetry(Quick).UseDbRetry(configure);
            more?.Invoke(builder);
        });

    /// <summary>One that also notes the events of EF that it raises.</summary>
    public CounterContext Context(ICollection<EventData> events, Action<DbRetryOptions>? configure = null)
        => Context(configure, builder => builder.LogTo((_, _) => true, events.Add));

    /// <summary>EF and its provider alone.</summary>
    public CounterContext Stock() => Build(builder => builder.UseNpgsql(ConnectionString));

    /// <summary>The value of the counter and the number of items, as another session sees them.</summary>
    public async Task<(long Counter, long Items)> AppliedAsync()
    {
        await using var connection = await Database.OpenAsync();
        return (
            (long)(await connection.ScalarAsync("select n from counters where id = 1"))!,
            (long)(await connection.ScalarAsync("select count(*) from items"))!);
    }

    public Task ClearAsync() => Database.ExecuteAsync("truncate items; update counters set n = 0");

    /// <summary>A connection past the proxy.</summary>
    public Task<NpgsqlConnection> OpenAsync() => Database.OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await Proxy.DisposeAsync();
        await Database.DisposeAsync();
    }

    private static CounterContext Build(Action<DbContextOptionsBuilder> configure)
    {
        var builder = new DbContextOptionsBuilder<CounterContext>();

        // Many differing options in one process are what these tests are about.
        builder.ConfigureWarnings(warnings => warnings.Ignore(CoreEventId.ManyServiceProvidersCreatedWarning));
        configure(builder);
        return new CounterContext(builder.Options);
    }
}
