using Microsoft.EntityFrameworkCore;

namespace DbRetry.Bench.Contention;

internal sealed class CounterContext(DbContextOptions<CounterContext> options) : DbContext(options)
{
    public const int Rows = 100_000;

    public static readonly string Schema =
        $"""
        create table counters(id int primary key, n bigint not null);
        insert into counters select id, 0 from generate_series(1, {Rows}) id;
        """;

    public DbSet<Counter> Counters => Set<Counter>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
        => modelBuilder.Entity<Counter>(counter =>
        {
            counter.ToTable("counters");
            counter.Property(c => c.Id).HasColumnName("id");
            counter.Property(c => c.N).HasColumnName("n");
        });
}

internal sealed class Counter
{
    public int Id { get; set; }

    public long N { get; set; }
}
