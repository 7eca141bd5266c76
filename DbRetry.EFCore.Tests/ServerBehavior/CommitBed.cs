using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>A transaction through a proxy that has inserted one row, with a deferred unique key, and has not committed yet.</summary>
internal sealed class CommitBed : IAsyncDisposable
{
    private CommitBed(TestDatabase database, FaultProxy proxy, NpgsqlConnection connection, NpgsqlTransaction transaction)
    {
        Database = database;
        Proxy = proxy;
        Connection = connection;
        Transaction = transaction;
    }

    public TestDatabase Database { get; }

    public FaultProxy Proxy { get; }

    public NpgsqlConnection Connection { get; }

    public NpgsqlTransaction Transaction { get; }

    public static async Task<CommitBed> CreateAsync(CancellationToken cancellationToken, string settings = "")
    {
        var database = await TestDatabase.CreateAsync(cancellationToken);
        await database.ExecuteAsync("create table t(i int unique deferrable initially deferred)", cancellationToken);
        var proxy = FaultProxy.Start(database.ConnectionString);
        var connection = new NpgsqlConnection($"{proxy.Through(database.ConnectionString)};Pooling=false;{settings}");
        await connection.OpenAsync(cancellationToken);
        var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync("insert into t values (1)", cancellationToken);
        return new CommitBed(database, proxy, connection, transaction);
    }

    public void FailCommit(bool committed, FaultAction action) =>
        Proxy.Arm(FaultPoint.AtSql("COMMIT", committed ? FaultMoment.AfterProcessed : FaultMoment.BeforeForward, action));

    public Task<bool> HasRowAsync() => Database.ScalarAsync<bool>("select exists (select from t)");

    public async ValueTask DisposeAsync()
    {
        await Transaction.DisposeAsync();
        await Connection.DisposeAsync();
        await Proxy.DisposeAsync();
        await Database.DisposeAsync();
    }
}
