using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Hosts.Targets;

/// <summary>Single queries with a target session of their own. Node 0 is the primary, 1 and 2 are standbys.</summary>
[TestClass]
public sealed class QueryRoutingTests
{
    private static readonly Func<CounterContext, IEnumerable<int>> Compiled = EF.CompileQuery(
        (CounterContext context) => context.Database.SqlQueryRaw<int>("select inet_server_port() as \"Value\"").WithTargetSession(TargetSession.Standby));

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_query_goes_where_it_wants_to_and_the_next_one_where_the_context_does(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.ConnectionString());
        for (var i = 0; i < 3; i++)
        {
            await AssertServedAsync("12", cluster, Ports(context).WithTargetSession(TargetSession.Standby), async);
            await AssertServedAsync("12", cluster, Ports(context).Where(port => port > 0).WithTargetSession(TargetSession.PreferStandby).Take(1), async);
            Assert.AreEqual(0, await context.NodeAsync(cluster, async, Cancellation));
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_query_wins_over_a_scope_and_the_last_word_over_the_first(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.ConnectionString());
        using var scope = context.Database.UseTargetSession(TargetSession.Standby);
        await AssertServedAsync("0", cluster, Ports(context).WithTargetSession(TargetSession.Primary), async);
        await AssertServedAsync("0", cluster, Ports(context).WithTargetSession(TargetSession.Standby).WithTargetSession(TargetSession.Primary), async);
        await AssertServedAsync("12", cluster, Ports(context), async);
    }

    [TestMethod]
    public async Task A_compiled_query_goes_where_it_wants_to()
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.ConnectionString());
        for (var i = 0; i < 3; i++)
        {
            Assert.AreNotEqual(cluster.Port(0), Compiled(context).Single());
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Every_part_of_a_split_query_goes_where_the_query_wants_to(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        await using var database = await TestDatabase.CreateAsync(bed.Cluster, Cancellation);
        await database.ExecuteAsync(
            """
            create table parents(id int primary key);
            create table children(id int primary key, parent_id int not null references parents);
            insert into parents values (1);
            insert into children values (1, 1), (2, 1);
            """,
            Cancellation);
        await bed.Cluster.WaitForReplayAsync(Cancellation);
        await using var context = new FamilyContext(new DbContextOptionsBuilder<FamilyContext>()
            .UseNpgsql($"{bed.ConnectionString};Database={database.Name};Pooling=false").UseDbRetry(RetryBed.Quick).Options);
        bed.Arm();

        var parents = await context.Parents.Include(parent => parent.Children).AsSplitQuery().WithTargetSession(TargetSession.Standby).ListAsync(async, Cancellation);

        Assert.HasCount(2, parents.Single().Children);
        Assert.IsEmpty(bed.Nodes[0].Messages.Where(message => IsPart(message.Sql)), "Nothing went to the primary.");
        Assert.HasCount(2, bed.Sql().Where(IsPart));

        static bool IsPart(string? sql) => sql is not null && sql.Contains("FROM parents", StringComparison.Ordinal);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task In_an_open_connection_a_query_cannot_move(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.ConnectionString());
        await using var transaction = await context.BeginAsync(async);
        var error = await Assert.ThrowsExactlyAsync<InvalidOperationException>(
            () => Ports(context).WithTargetSession(TargetSession.Standby).ListAsync(async, Cancellation));
        Assert.Contains("The target session Standby cannot be had now", error.Message);
        await AssertServedAsync("0", cluster, Ports(context).WithTargetSession(TargetSession.PreferStandby), async);
    }

    [TestMethod]
    public async Task Without_DbRetry_it_is_a_comment()
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Build(builder => builder.UseNpgsql(cluster.NodeConnectionString(0)));
        await AssertServedAsync("0", cluster, Ports(context).WithTargetSession(TargetSession.Standby), async: true);
    }

    private static IQueryable<int> Ports(DbContext context) => context.Database.SqlQueryRaw<int>("select inet_server_port() as \"Value\"");

    private async Task AssertServedAsync(string nodes, LocalCluster cluster, IQueryable<int> ports, bool async)
    {
        var port = (await ports.ListAsync(async, Cancellation)).Single();
        Assert.Contains($"{Enumerable.Range(0, cluster.NodeCount).Single(node => cluster.Port(node) == port)}", nodes);
    }

    public sealed class FamilyContext(DbContextOptions<FamilyContext> options) : DbContext(options)
    {
        public DbSet<Parent> Parents => Set<Parent>();

        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            ArgumentNullException.ThrowIfNull(modelBuilder);
            modelBuilder.Entity<Parent>(parent =>
            {
                parent.ToTable("parents").Property(p => p.Id).HasColumnName("id");
                parent.HasMany(p => p.Children).WithOne().HasForeignKey(child => child.ParentId);
            });
            modelBuilder.Entity<Child>(child =>
            {
                child.ToTable("children").Property(c => c.Id).HasColumnName("id");
                child.Property(c => c.ParentId).HasColumnName("parent_id");
            });
        }
    }

    public sealed class Parent
    {
        public int Id { get; set; }

        public IList<Child> Children { get; } = [];
    }

    public sealed class Child
    {
        public int Id { get; set; }

        public int ParentId { get; set; }
    }
}
