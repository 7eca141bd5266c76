using System.Text.Json;
using DbRetry.EFCore.Tests.Support;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Buffering;

/// <summary>What queries return does not depend on how much of it is read ahead.</summary>
[TestClass]
public sealed class ReadAheadValuesTests
{
    private static readonly Dictionary<string, Func<SampleContext, bool, Task<object>>> Queries = new()
    {
        ["entities"] = (context, isAsync) => AllAsync(context.Samples.OrderBy(sample => sample.Id), isAsync),
        ["tracked"] = (context, isAsync) => AllAsync(context.Samples.AsTracking().OrderBy(sample => sample.Id), isAsync),
        ["projection"] = (context, isAsync) => AllAsync(
            context.Samples.OrderBy(sample => sample.Id).Select(sample => new { sample.Short, Twice = sample.Decimal * 2, Length = (int?)sample.Text!.Length }), isAsync),
        ["nothing"] = (context, isAsync) => AllAsync(context.Samples.Where(sample => sample.Id < 0), isAsync),
        ["scalar"] = (context, isAsync) => AllAsync(context.Database.SqlQueryRaw<int>("select i from generate_series(1, 5) i"), isAsync),
        ["columns in another order"] = (context, isAsync) => AllAsync(
            context.Parts.FromSqlRaw("select name, 7 as extra, sample_id, id from parts order by id"), isAsync),
        ["include"] = (context, isAsync) => AllAsync(context.Samples.Include(sample => sample.Parts).OrderBy(sample => sample.Id), isAsync),
        ["split"] = (context, isAsync) => AllAsync(context.Samples.Include(sample => sample.Parts).AsSplitQuery().OrderBy(sample => sample.Id), isAsync),
        ["groups"] = (context, isAsync) => AllAsync(
            context.Parts.GroupBy(part => part.SampleId).Select(parts => new { parts.Key, Count = parts.Count(), Last = parts.Max(part => part.Name) })
                .OrderBy(group => group.Key),
            isAsync),
        ["whole groups"] = async (context, isAsync) => (await ListAsync(context.Parts.OrderBy(part => part.Id).GroupBy(part => part.SampleId), isAsync))
            .Select(group => new { group.Key, Parts = group.ToList() }).OrderBy(group => group.Key).ToList(),
        ["objects or none"] = (context, isAsync) => AllAsync(
            context.Samples.OrderBy(sample => sample.Id).Select(sample => sample.Parts.OrderBy(part => part.Id).FirstOrDefault()), isAsync),
    };

    public required TestContext TestContext { get; set; }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Queries_return_the_same_however_they_are_buffered(bool async)
    {
        await using var database = await TestDatabase.CreateAsync(TestContext.CancellationToken);
        await database.ExecuteAsync(SampleContext.Schema, TestContext.CancellationToken);
        foreach (var (name, query) in Queries)
        {
            var expected = await RunAsync(builder => { });
            Assert.AreEqual(expected, await RunAsync(builder => builder.UseDbRetry(options => options.Buffering = ResultBuffering.None)), name);
            Assert.AreEqual(expected, await RunAsync(builder => builder.UseDbRetry(options => options.Buffering = ResultBuffering.Full)), name);
            foreach (var rows in new[] { 1, 2, 3, 1000 })
            {
                Assert.AreEqual(expected, await RunAsync(builder => builder.UseDbRetry(options => options.ReadAheadRows = rows)), $"{name}, {rows} rows ahead");
            }

            async Task<string> RunAsync(Action<DbContextOptionsBuilder> configure)
            {
                var builder = new DbContextOptionsBuilder<SampleContext>()
                    .UseNpgsql(database.ConnectionString).UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking);
                configure(builder);
                await using var context = new SampleContext(builder.Options);
                return JsonSerializer.Serialize(await query(context, async));
            }
        }
    }

    [TestMethod]
    [DataRow(ResultBuffering.ReadAhead)]
    [DataRow(ResultBuffering.Full)]
    public async Task A_column_that_is_missing_in_SQL_of_the_application_is_named(ResultBuffering buffering)
    {
        await using var database = await TestDatabase.CreateAsync(TestContext.CancellationToken);
        await database.ExecuteAsync(SampleContext.Schema, TestContext.CancellationToken);
        await using var context = new SampleContext(new DbContextOptionsBuilder<SampleContext>()
            .UseNpgsql(database.ConnectionString).UseDbRetry(options => options.Buffering = buffering).Options);

        var error = await Assert.ThrowsExactlyAsync<InvalidOperationException>(
            () => context.Parts.FromSqlRaw("select id, name, 7 as extra from parts").ToListAsync(TestContext.CancellationToken));

        StringAssert.Contains(error.Message, "sample_id");
        Assert.HasCount(4, await context.Parts.ToListAsync(TestContext.CancellationToken));
    }

    private static async Task<object> AllAsync<T>(IQueryable<T> query, bool async) => await ListAsync(query, async);

    private static async Task<List<T>> ListAsync<T>(IQueryable<T> query, bool async) => async ? await query.ToListAsync() : [.. query];
}
