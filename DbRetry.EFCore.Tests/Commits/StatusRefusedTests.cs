using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Testing;
using DbRetry.EFCore.Tests.Retry;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>Servers that keep to themselves what <see cref="CommitVerification.TransactionStatus"/> asks, or do not know it.</summary>
[TestClass]
public sealed class StatusRefusedTests
{
    private const string XidFunction = "pg_current_xact_id_if_assigned";

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow("save", false)]
    [DataRow("save", true)]
    [DataRow("update", false)]
    [DataRow("update", true)]
    [DataRow("sql", false)]
    [DataRow("sql", true)]
    [DataRow("save in a transaction", false)]
    [DataRow("save in a transaction", true)]
    [DataRow("sql in a transaction", false)]
    [DataRow("sql in a transaction", true)]
    public async Task Whoever_may_not_ask_is_told_what_to_choose_instead(string how, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var role = await LimitedRole.CreateAsync(bed, [XidFunction], Cancellation);
        await using var context = bed.Context(more: builder => builder.UseNpgsql(role.ConnectionString));

        var error = await Assert.ThrowsExactlyAsync<StatusRefusedException>(() => WriteAsync(context, how, async));

        Assert.Contains("Witness", error.Message);
        Assert.Contains("Surface", error.Message);
        Assert.Contains(XidFunction, error.Message);
        Assert.AreEqual(PostgresErrorCodes.InsufficientPrivilege, ((PostgresException)error.GetBaseException()).SqlState);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());

        await using var advised = bed.Context(
            options => options.CommitVerification = CommitVerification.Surface, builder => builder.UseNpgsql(role.ConnectionString));
        await WriteAsync(advised, how, async);
        Assert.AreEqual(1L, (await bed.AppliedAsync()) switch { var (counter, items) => counter + items });
    }

    [TestMethod]
    [DataRow(false, PostgresErrorCodes.FeatureNotSupported)]
    [DataRow(true, PostgresErrorCodes.FeatureNotSupported)]
    [DataRow(false, PostgresErrorCodes.UndefinedFunction)]
    [DataRow(true, PostgresErrorCodes.UndefinedFunction)]
    public async Task So_is_who_asks_a_server_that_does_not_know_the_question(bool async, string sqlState)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await bed.Database.ExecuteAsync(
            $"""
            alter function pg_catalog.{XidFunction}() rename to hidden;
            create function pg_catalog.{XidFunction}({(sqlState == PostgresErrorCodes.UndefinedFunction ? "int" : string.Empty)}) returns xid8 language plpgsql as
            $$ begin raise feature_not_supported using message = 'Function {XidFunction}() is currently not supported'; end $$
            """,
            Cancellation);
        await using var context = bed.Context();

        var error = await Assert.ThrowsExactlyAsync<StatusRefusedException>(() => WriteAsync(context, "save", async));

        Assert.AreEqual(sqlState, ((PostgresException)error.GetBaseException()).SqlState);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task What_the_application_itself_may_not_do_surfaces_as_itself(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var role = await LimitedRole.CreateAsync(bed, [], Cancellation);
        await using var context = bed.Context(more: builder => builder.UseNpgsql(role.ConnectionString));

        var error = await Assert.ThrowsExactlyAsync<PostgresException>(() => context.SqlAsync(async, "truncate items"));

        Assert.AreEqual(PostgresErrorCodes.InsufficientPrivilege, error.SqlState);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task An_unknown_outcome_says_so_too_where_the_status_alone_is_refused(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var role = await LimitedRole.CreateAsync(bed, ["pg_xact_status"], Cancellation);
        var faults = new DbRetryFaults();
        faults.CommitThenLoseAcknowledgement();
        await using var context = bed.Context(
            options => options.FailoverTimeout = TimeSpan.FromMilliseconds(50),
            builder => builder.UseNpgsql(role.ConnectionString).UseDbRetryFaults(faults));

        var error = await Assert.ThrowsExactlyAsync<CommitOutcomeUnknownException>(() => context.IncrementAsync(async));

        Assert.Contains("Witness", error.Message);
    }

    private static async Task WriteAsync(CounterContext context, string how, bool async)
    {
        switch (how)
        {
            case "save":
                context.Items.Add(new() { Name = how });
                await context.SaveAsync(async);
                break;
            case "update":
                await context.IncrementAsync(async);
                break;
            case "sql":
                await context.SqlAsync(async, "update counters set n = n + 1");
                break;
            default:
                await using (var transaction = await context.BeginAsync(async))
                {
                    await WriteAsync(context, how.Split(' ')[0], async);
                    await transaction.CommitAsync(async);
                }

                break;
        }
    }
}
