using System.Data.Common;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Item = DbRetry.EFCore.Tests.Retry.CounterContext.Item;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>The savepoints of saves are not waited for. Nobody sees anything of it but the clock.</summary>
[TestClass]
public sealed class SavepointTests
{
    private static readonly string[] OddNames = ["select", "UPPER", "with space", "quo\"te", "semi;colon", "ä", "1", "$", "__EFSavePoint"];

    private static readonly Dictionary<string, Func<Scene, Task>> Stories = new()
    {
        ["two saves"] = async scene =>
        {
            await scene.SaveAsync("first");
            await scene.SaveAsync("second");
            await scene.CommitAsync();
        },
        ["a save that the server refuses, and another one"] = async scene =>
        {
            await scene.SaveAsync("first");
            await scene.SaveAsync("first");
            await scene.SaveAsync("second");
            await scene.CommitAsync();
        },
        ["a first save that the server refuses"] = async scene =>
        {
            await scene.SaveAsync(null);
            await scene.SaveAsync("first");
            await scene.CommitAsync();
        },
        ["a save that finds its row gone"] = async scene =>
        {
            var stale = new Item { Id = 4711, Name = "stale" };
            scene.Context.Update(stale);
            await scene.TryAsync("save", () => scene.Context.SaveAsync(scene.Async));
            await scene.SaveAsync("first");
            await scene.CommitAsync();
        },
        ["a save in a transaction that has failed"] = async scene =>
        {
            await scene.SaveAsync("first");
            await scene.SqlAsync("select 1/0");
            await scene.SaveAsync("second");
            await scene.SaveAsync("third");
            await scene.TryAsync("roll back", () => scene.Transaction.RollbackAsync());
            await scene.SaveAsync("fourth", clear: false);
        },
        ["a savepoint of one's own around a save that fails"] = async scene =>
        {
            await scene.SavepointAsync("create", "mine");
            await scene.SaveAsync("first");
            await scene.SqlAsync("select 1/0");
            await scene.SavepointAsync("rollback", "mine");
            await scene.SaveAsync("second");
            await scene.SavepointAsync("release", "mine");
            await scene.CommitAsync();
        },
        ["savepoints with odd names"] = async scene =>
        {
            foreach (var name in OddNames)
            {
                await scene.SavepointAsync("create", name);
                await scene.SaveAsync($"gone {name}");
                await scene.SavepointAsync("rollback", name);
                await scene.SaveAsync($"kept {name}");
                await scene.SavepointAsync("release", name);
                await scene.SavepointAsync("create", name);
                await scene.SavepointAsync("release", name);
                await scene.SavepointAsync("create", name);
                await scene.SavepointAsync("rollback", name);
            }

            await scene.CommitAsync();
        },
        ["a savepoint that is not there"] = async scene =>
        {
            await scene.SaveAsync("first");
            await scene.SavepointAsync("release", "__EFSavePoint");
            await scene.SaveAsync("second");
            await scene.CommitAsync();
        },
        ["a savepoint of a save that is released once more"] = async scene =>
        {
            await scene.SavepointAsync("create", "__EFSavePoint");
            await scene.SavepointAsync("release", "__EFSavePoint");
            await scene.SavepointAsync("release", "__EFSavePoint");
            await scene.CommitAsync();
        },
        ["a savepoint that another one's rollback takes along"] = async scene =>
        {
            await scene.SavepointAsync("create", "outer");
            await scene.SavepointAsync("create", "__EFSavePoint");
            await scene.SavepointAsync("rollback", "outer");
            await scene.SavepointAsync("release", "__EFSavePoint");
            await scene.CommitAsync();
        },
        ["COMMIT right behind a savepoint"] = async scene =>
        {
            await scene.SavepointAsync("create", "__EFSavePoint");
            await scene.CommitAsync();
        },
        ["savepoints that nothing follows"] = async scene =>
        {
            for (var i = 0; i < 1000; i++)
            {
                await scene.SavepointAsync("create", "__EFSavePoint");
                await scene.SavepointAsync("release", "__EFSavePoint");
            }

            await scene.SaveAsync("first");
            await scene.SavepointAsync("create", "__EFSavePoint");
        },
        ["commands of Npgsql's between"] = async scene =>
        {
            await scene.SavepointAsync("create", "__EFSavePoint");
            await scene.RawAsync("insert into items(name) values ('raw')");
            await scene.SavepointAsync("rollback", "__EFSavePoint");
            await scene.RawAsync("insert into items(name) values ('kept')");
            await scene.SaveAsync("first");
            await scene.RawAsync("rollback to savepoint \"__EFSavePoint\"");
        },
        ["a result that is still being read"] = async scene =>
        {
            await using var command = scene.Connection.CreateCommand();
            command.CommandText = "select generate_series(1, 3)";
            await using (var reader = await command.ExecuteReaderAsync())
            {
                await reader.ReadAsync();
                await scene.SavepointAsync("create", "__EFSavePoint");
                await scene.SavepointAsync("release", "__EFSavePoint");
                while (await reader.ReadAsync())
                {
                    scene.Saw.Add($"{reader.GetInt32(0)}");
                }
            }

            await scene.SaveAsync("first");
            await scene.CommitAsync();
        },
        ["a transaction that SQL has ended"] = async scene =>
        {
            await scene.SaveAsync("first");
            await scene.RawAsync("rollback");
            await scene.SavepointAsync("create", "__EFSavePoint");
            await scene.SavepointAsync("release", "__EFSavePoint");
        },
        ["an isolation level behind a savepoint"] = async scene =>
        {
            await scene.SavepointAsync("create", "__EFSavePoint");
            await scene.RawAsync("set transaction isolation level serializable");
        },
        ["saves without savepoints"] = async scene =>
        {
            scene.Context.Database.AutoSavepointsEnabled = false;
            await scene.SaveAsync("first");
            await scene.SaveAsync("second");
            await scene.CommitAsync();
        },
    };

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    public static IEnumerable<object[]> All() => Stories.Keys.SelectMany(story => new[] { new object[] { story, true }, [story, false] });

    [TestMethod]
    [DynamicData(nameof(All))]
    public async Task What_happens_and_what_is_told_is_the_same_as_with_EF_alone(string story, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);

        var expected = await SeeAsync(bed, Stock(bed), story, async);
        var actual = await SeeAsync(bed, more => bed.Context(null, more), story, async);

        Assert.AreEqual(string.Join('\n', expected), string.Join('\n', actual));
    }

    [TestMethod]
    [DataRow("creates it itself", false)]
    [DataRow("creates it itself", true)]
    [DataRow("leaves it out", false)]
    [DataRow("leaves it out", true)]
    [DataRow("asks something before", false)]
    [DataRow("asks something before", true)]
    [DataRow("asks something behind", false)]
    [DataRow("asks something behind", true)]
    [DataRow("fails something before", false)]
    [DataRow("fails something before", true)]
    public async Task An_interceptor_of_the_application_has_the_same_effect_as_with_EF_alone(string meddling, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var interceptor = new Meddler(meddling);

        var expected = await SeeAsync(bed, Stock(bed, interceptor), "two saves", async);
        var actual = await SeeAsync(bed, more => bed.Context(null, builder => more(builder.AddInterceptors(interceptor))), "two saves", async);

        Assert.AreEqual(string.Join('\n', expected), string.Join('\n', actual));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_server_gets_the_same_statements_in_the_same_order_as_from_EF_alone(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);

        await SeeAsync(bed, Stock(bed), "two saves", async);
        var expected = Statements();
        await SeeAsync(bed, more => bed.Context(null, more), "two saves", async);

        Assert.AreEqual(expected, Statements());

        string Statements()
            => string.Join(", ", bed.Proxy.Messages
                .Where(message => message is { Sender: Sender.Frontend, Sql: not null })
                .Select(message => message.Sql!.TrimEnd(';').Split([' ', '\n'])[0])
                .Where(verb => verb is not "SELECT")); // Npgsql's, when it first connects, and the question about the transaction.
    }

    [TestMethod]
    [DataRow(false, 2)]
    [DataRow(true, 4)]
    public async Task The_release_is_waited_for_only_where_Npgsql_may_use_the_connection_by_itself(bool keepalive, int expected)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(
            options => options.CommitVerification = CommitVerification.None,
            builder => builder.UseNpgsql($"{bed.ConnectionString};Keepalive={(keepalive ? 3600 : 0)}"));
        await using var transaction = await context.Database.BeginTransactionAsync(Cancellation);
        bed.Proxy.Arm();

        foreach (var name in (string[])["first", "second"])
        {
            context.Items.Add(new Item { Name = name });
            await context.SaveChangesAsync(Cancellation);
        }

        Assert.AreEqual(expected, RoundTrips.Count(bed.Proxy.Messages), string.Join('\n', bed.Proxy.Messages));
    }

    [TestMethod]
    public async Task A_connection_that_goes_back_into_the_pool_with_a_release_unsent_serves_the_next_one()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var pooled = new NpgsqlConnectionStringBuilder(bed.ConnectionString) { Pooling = true, MaxPoolSize = 1 }.ConnectionString;
        await using (var context = bed.Context(null, builder => builder.UseNpgsql(pooled)))
        {
            await context.Database.BeginTransactionAsync(Cancellation);
            context.Items.Add(new Item { Name = "never" });
            await context.SaveChangesAsync(Cancellation);
        }

        await using var next = bed.Context(null, builder => builder.UseNpgsql(pooled));
        await using var transaction = await next.Database.BeginTransactionAsync(Cancellation);
        next.Items.Add(new Item { Name = "kept" });
        await next.SaveChangesAsync(Cancellation);
        await transaction.CommitAsync(Cancellation);

        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
        Assert.AreEqual(1, bed.Proxy.ConnectionCount);
    }

    private static async Task<List<string>> SeeAsync(
        RetryBed bed, Func<Action<DbContextOptionsBuilder>, CounterContext> make, string story, bool async)
    {
        await bed.Database.ExecuteAsync("truncate items restart identity; update counters set n = 0");
        var saw = new List<string>();
        await using var context = make(builder => builder.LogTo((_, _) => true, told => Note(told, saw)));
        var scene = new Scene(context, async, saw);
        bed.Proxy.Arm();
        await using (scene.Transaction = await context.BeginAsync(async))
        {
            await Stories[story](scene);
        }

        await using var connection = await bed.OpenAsync();
        saw.Add($"items: {await connection.ScalarAsync("select string_agg(name, ', ' order by name) from items")}");
        return saw;
    }

    private static void Note(EventData told, List<string> saw)
    {
        if (told is TransactionErrorEventData { Action: not "Commit" } error)
        {
            saw.Add($"  {told.EventId.Name} {error.Action} {error.Exception.GetType().Name}");
        }
        else if (told.EventId.Name!.Contains("Savepoint", StringComparison.Ordinal))
        {
            saw.Add($"  {told.EventId.Name} {told is TransactionEventData { Transaction: not null, TransactionId: var id } && id != default}");
        }
    }

    private static Func<Action<DbContextOptionsBuilder>, CounterContext> Stock(RetryBed bed, params IInterceptor[] interceptors)
        => more =>
        {
            var builder = new DbContextOptionsBuilder<CounterContext>();
            more(builder.UseNpgsql(bed.ConnectionString).AddInterceptors(interceptors));
            return new(builder.Options);
        };

    private sealed class Scene(CounterContext context, bool async, List<string> saw)
    {
        public CounterContext Context => context;

        public bool Async => async;

        public IDbContextTransaction Transaction { get; set; } = null!;

        public List<string> Saw => saw;

        public NpgsqlConnection Connection => (NpgsqlConnection)context.Database.GetDbConnection();

        public Task SaveAsync(string? name, bool clear = true)
        {
            if (clear)
            {
                context.ChangeTracker.Clear();
            }

            context.Items.Add(new Item { Name = name! });
            return TryAsync("save", () => context.SaveAsync(async));
        }

        public Task SqlAsync(string sql) => TryAsync(sql, () => context.SqlAsync(async, sql));

        public Task RawAsync(string sql) => TryAsync(sql, () => Connection.ExecuteAsync(sql));

        public Task CommitAsync()
            => TryAsync("commit", async () =>
            {
                try
                {
                    await Transaction.CommitAsync(async);
                }
                catch (TransactionFailedException)
                {
                    // EF alone takes the server's ROLLBACK for a success.
                }
            });

        public Task SavepointAsync(string what, string name)
            => TryAsync($"{what} {name}", () => (what, async) switch
            {
                ("create", true) => Transaction.CreateSavepointAsync(name),
                ("rollback", true) => Transaction.RollbackToSavepointAsync(name),
                (_, true) => Transaction.ReleaseSavepointAsync(name),
                ("create", false) => Sync(() => Transaction.CreateSavepoint(name)),
                ("rollback", false) => Sync(() => Transaction.RollbackToSavepoint(name)),
                _ => Sync(() => Transaction.ReleaseSavepoint(name)),
            });

        public async Task TryAsync(string what, Func<Task> work)
        {
            try
            {
                await work();
                Saw.Add($"{what}: done");
            }
            catch (Exception exception)
            {
                var cause = exception.GetBaseException();
                Saw.Add($"{what}: {exception.GetType().Name} {(cause as PostgresException)?.SqlState ?? cause.GetType().Name}");
            }
        }

        private static Task<bool> Sync(Action action)
            => Twin.Caught(() =>
            {
                action();
                return true;
            });
    }

    private sealed class Meddler(string meddling) : DbTransactionInterceptor
    {
        public override InterceptionResult CreatingSavepoint(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result)
        {
            switch (meddling)
            {
                case "creates it itself":
                    Run(transaction, "savepoint \"__EFSavePoint\"");
                    return InterceptionResult.Suppress();
                case "leaves it out":
                    return InterceptionResult.Suppress();
                case "asks something before":
                    Run(transaction, "insert into items(name) values ('meddler' || random())");
                    Run(transaction, "delete from items where name like 'meddler%'");
                    return result;
                case "fails something before":
                    Assert.ThrowsExactly<PostgresException>(() => Run(transaction, "select 1/0"));
                    return result;
                default:
                    return result;
            }
        }

        public override ValueTask<InterceptionResult> CreatingSavepointAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
            => ValueTask.FromResult(CreatingSavepoint(transaction, eventData, result));

        public override void CreatedSavepoint(DbTransaction transaction, TransactionEventData eventData)
        {
            if (meddling == "asks something behind")
            {
                Run(transaction, "update counters set n = n + 1");
            }
        }

        public override Task CreatedSavepointAsync(DbTransaction transaction, TransactionEventData eventData, CancellationToken cancellationToken = default)
        {
            CreatedSavepoint(transaction, eventData);
            return Task.CompletedTask;
        }

        private static void Run(DbTransaction transaction, string sql)
        {
            using var command = new NpgsqlCommand(sql, (NpgsqlConnection)transaction.Connection!);
            command.ExecuteNonQuery();
        }
    }
}
