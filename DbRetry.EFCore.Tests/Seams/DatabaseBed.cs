using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace DbRetry.EFCore.Tests.Seams;

/// <summary>The name of a database that may or may not exist, on a server behind a proxy.</summary>
internal sealed class DatabaseBed : IAsyncDisposable
{
    private static readonly ServiceProvider Shared = new ServiceCollection().AddEntityFrameworkNpgsql().AddEntityFrameworkDbRetry().BuildServiceProvider();

    private readonly string _server;
    private readonly string _name = $"dbretry_{Guid.NewGuid():N}";

    private DatabaseBed(string server)
    {
        _server = server;
        Proxy = FaultProxy.Start(server);
    }

    public FaultProxy Proxy { get; }

    /// <summary>Through the proxy, without a pool: every step of a connection is passed.</summary>
    public string ConnectionString => $"{In(Proxy.Through(_server))};Pooling=false";

    public string Uri
    {
        get
        {
            var server = new NpgsqlConnectionStringBuilder(_server);
            return $"postgresql://{server.Username}:{System.Uri.EscapeDataString(server.Password ?? string.Empty)}@127.0.0.1:{Proxy.Port}/{_name}";
        }
    }

    public static async Task<DatabaseBed> CreateAsync() => new(await SharedCluster.ServerAsync());

    public LedgerContext Context(string? dsn = null, Action<DbRetryOptions>? configure = null, bool dataSource = false)
        => new(new DbContextOptionsBuilder<LedgerContext>()
            .UseNpgsql(dsn ?? ConnectionString, npgsql =>
            {
                if (dataSource)
                {
                    npgsql.ConfigureDataSource(_ => { });
                }
            })
            .UseDbRetry(RetryBed.Quick)
            .UseDbRetry(configure)
            .Options);

    /// <summary>One that did not ask for DbRetry, in an internal provider that has its services.</summary>
    public LedgerContext Stock()
        => new(new DbContextOptionsBuilder<LedgerContext>()
            .UseNpgsql(ConnectionString)
            .UseInternalServiceProvider(Shared)
            .Options);

    public async Task PrepareAsync(string? sql, CancellationToken cancellationToken)
    {
        await DropAsync(cancellationToken);
        if (sql is null)
        {
            return;
        }

        await using (var maintenance = await OpenAsync(_server, cancellationToken))
        {
            await maintenance.ExecuteAsync(NewDatabase.Sql(_name, maintenance.PostgreSqlVersion), cancellationToken);
        }

        if (sql.Length > 0)
        {
            await using var connection = await OpenAsync(In(_server), cancellationToken);
            await connection.ExecuteAsync(sql, cancellationToken);
        }
    }

    public async Task<bool> HoldsAsync(string? proof, CancellationToken cancellationToken)
    {
        if (proof is null)
        {
            await using var maintenance = await OpenAsync(_server, cancellationToken);
            return (bool)(await maintenance.ScalarAsync($"select not exists (select from pg_database where datname = '{_name}')", cancellationToken))!;
        }

        await using var connection = await OpenAsync(In(_server), cancellationToken);
        return await connection.ScalarAsync(proof, cancellationToken) is true;
    }

    public async ValueTask DisposeAsync()
    {
        await Proxy.DisposeAsync();
        await DropAsync(CancellationToken.None);
    }

    private static async Task<NpgsqlConnection> OpenAsync(string connectionString, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection($"{connectionString};Pooling=false");
        await connection.OpenAsync(cancellationToken);
        return connection;
    }

    private async Task DropAsync(CancellationToken cancellationToken)
    {
        await using var maintenance = await OpenAsync(_server, cancellationToken);
        await maintenance.ExecuteAsync($"drop database if exists \"{_name}\" with (force)", cancellationToken);
    }

    private string In(string server) => new NpgsqlConnectionStringBuilder(server) { Database = _name }.ConnectionString;
}
