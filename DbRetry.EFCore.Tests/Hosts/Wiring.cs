using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Cluster;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>One of the ways in which applications connect EF Core with a cluster.</summary>
internal sealed class Wiring : IAsyncDisposable
{
    /// <summary>A role that needs the password "right".</summary>
    public const string Role = "secretive";

    private readonly DbContextOptions _options;
    private readonly bool _moody;
    private readonly NpgsqlDataSource? _dataSource;

    private Wiring(string name, NpgsqlDataSource? dataSource, bool moody, Action<DbContextOptionsBuilder> configure)
    {
        Name = name;
        _dataSource = dataSource;
        _moody = moody;
        var builder = new DbContextOptionsBuilder().ConfigureWarnings(warnings => warnings.Ignore(CoreEventId.ManyServiceProvidersCreatedWarning));
        configure(builder);
        builder.UseDbRetry(RetryBed.Quick);
        _options = builder.Options;
    }

    public string Name { get; }

    /// <summary>Those that name every node; the sockets of all are in one folder.</summary>
    public static IReadOnlyList<Wiring> All(LocalCluster cluster, string database, string sockets)
    {
        var dsn = cluster.ConnectionString(database);
        var moody = Source(dsn, "moody").MapEnum<MarkerContext.Mood>().BuildMultiHost();
        var wrapped = Source($"{dsn};Target Session Attributes=standby", "wrapped").BuildMultiHost();
        var built = Source(dsn, "built").Build();
        var periodic = Source($"{dsn};Username={Role}", "periodic")
            .UsePeriodicPasswordProvider((_, _) => ValueTask.FromResult("right"), TimeSpan.FromHours(1), TimeSpan.FromSeconds(1))
            .BuildMultiHost();
        return
        [
            new("connection string", null, false, builder => builder.UseNpgsql(dsn)),
            new("URI", null, false, builder => builder.UseNpgsql(HostBed.Uri(cluster, "target_session_attrs=read-write&application_name=uri", database))),
            new("Unix sockets", null, false, builder => builder.UseNpgsql(Sockets(cluster, database, sockets))),
            new("data source", built, false, builder => builder.UseNpgsql(built)),
            new("multi-host data source", moody, true, builder => builder.UseNpgsql(moody, npgsql => npgsql.MapEnum<MarkerContext.Mood>())),
            new("WithTargetSession", wrapped, false, builder => builder.UseNpgsql(wrapped.WithTargetSession(TargetSessionAttributes.Primary))),
            new("MapEnum", null, true, builder => builder.UseNpgsql($"{dsn};Application Name=map", npgsql => npgsql.MapEnum<MarkerContext.Mood>())),
            new("ConfigureDataSource", null, false, builder => builder.UseNpgsql(
                $"{dsn};Username={Role};Application Name=configured",
                npgsql => npgsql.ConfigureDataSource(source => source.UsePasswordProvider(_ => "right", (_, _) => ValueTask.FromResult("right"))))),
            new("periodic password", periodic, false, builder => builder.UseNpgsql(periodic)),
            new("plugin", null, false, builder =>
            {
                builder.UseNpgsql($"{dsn};Username={Role};Application Name=plugin");
                DataSourcePlugin.Add(builder, "right");
            }),
        ];
    }

    /// <summary>Those that name one address, behind which the nodes change.</summary>
    public static IReadOnlyList<Wiring> Behind(IReadOnlyDictionary<string, string> addresses)
    {
        var single = Source(addresses["address"], "single").Build();
        return
        [
            .. addresses.Select(address => new Wiring(address.Key, null, false, builder => builder.UseNpgsql(address.Value))),
            new("single-host data source", single, false, builder => builder.UseNpgsql(single)),
            new("MapEnum on one address", null, true, builder => builder.UseNpgsql(
                $"{addresses["address"]};Application Name=map1", npgsql => npgsql.MapEnum<MarkerContext.Mood>())),
        ];
    }

    public MarkerContext Context() => _moody ? new MoodyMarkerContext(_options) : new MarkerContext(_options);

    public async Task WriteAsync(string marker, bool async, CancellationToken cancellationToken)
    {
        await using var context = Context();
        context.Markers.Add(new MarkerContext.Marker { Text = marker, Mood = MarkerContext.Mood.Cross });
        Assert.AreEqual(1, await context.SaveAsync(async, cancellationToken));
    }

    public async Task AssertMappedAsync(CancellationToken cancellationToken)
    {
        if (_moody)
        {
            await using var context = Context();
            Assert.IsTrue(await context.Markers.AllAsync(marker => marker.Mood == MarkerContext.Mood.Cross || marker.Mood == null, cancellationToken));
            Assert.IsTrue(await context.Markers.AnyAsync(marker => marker.Mood == MarkerContext.Mood.Cross, cancellationToken));
        }
    }

    public override string ToString() => Name;

    public ValueTask DisposeAsync() => _dataSource?.DisposeAsync() ?? ValueTask.CompletedTask;

    private static string Sockets(LocalCluster cluster, string database, string folder)
        => $"Host={string.Join(',', Enumerable.Range(0, cluster.NodeCount).Select(node => $"{folder}:{cluster.Port(node)}"))};Username=postgres;Database={database}";

    private static NpgsqlDataSourceBuilder Source(string dsn, string name) => new($"{dsn};Application Name={name}");
}
