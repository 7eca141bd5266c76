using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using static DbRetry.EFCore.Tests.Retry.Twin;

namespace DbRetry.EFCore.Tests.Seams;

/// <summary>Commands that EF would run outside of any strategy: ExecuteSql, sequences, the migrations history.</summary>
[TestClass]
public class RetryingCommandTests
{
    private const string Query = "select n from counters";

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_scalar_is_retried(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var command = context.GetService<IRawSqlCommandBuilder>().Build(Query);
        bed.Proxy.Arm(FaultPoint.AtSql(Query, FaultMoment.BeforeForward, FaultAction.Reset));

        var n = async ? await command.ExecuteScalarAsync(Parameters(context), Cancellation) : command.ExecuteScalar(Parameters(context));

        Assert.AreEqual(0L, n);
        Assert.AreEqual(1, bed.Proxy.FaultsFired);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_start_of_a_reader_is_retried(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var command = context.GetService<IRawSqlCommandBuilder>().Build(Query);
        bed.Proxy.Arm(FaultPoint.AtSql(Query, FaultMoment.BeforeForward, FaultAction.Reset));

        await using var reader = async ? await command.ExecuteReaderAsync(Parameters(context), Cancellation) : command.ExecuteReader(Parameters(context));

        Assert.IsTrue(async ? await reader.ReadAsync(Cancellation) : reader.Read());
        Assert.AreEqual(0L, reader.DbDataReader.GetInt64(0));
        Assert.AreEqual(1, bed.Proxy.FaultsFired);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task ExecuteSql_with_parameters_is_applied_once(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        bed.Proxy.Arm(
            FaultPoint.AtSql("update counters", FaultMoment.AfterProcessed, FaultAction.Reset),
            FaultPoint.AtCommit(FaultMoment.AfterProcessed, FaultAction.Reset));
        var step = 3;

        var rows = async
            ? await context.Database.ExecuteSqlAsync($"update counters set n = n + {step}", Cancellation)
            : context.Database.ExecuteSql($"update counters set n = n + {step}");

        Assert.AreEqual(1, rows);
        Assert.AreEqual(2, bed.Proxy.FaultsFired);
        Assert.AreEqual((3L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_statement_that_refuses_a_transaction_runs_outside_of_one(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await context.SqlAsync(async, "vacuum counters");
        await bed.Database.ExecuteAsync("create procedure commits() language plpgsql as $$ begin update counters set n = n + 1; commit; end $$", Cancellation);

        await context.SqlAsync(async, "call commits()");

        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Without_DbRetry_a_command_is_the_provider_s_own(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var with = bed.Context();
        await using var stock = bed.Stock();
        var command = with.GetService<IRawSqlCommandBuilder>().Build(Query);
        Assert.AreEqual(0L, async ? await command.ExecuteScalarAsync(Parameters(stock), Cancellation) : command.ExecuteScalar(Parameters(stock)));
        Assert.AreEqual(-1, async ? await command.ExecuteNonQueryAsync(Parameters(stock), Cancellation) : command.ExecuteNonQuery(Parameters(stock)));
        await using (var reader = async
            ? await command.ExecuteReaderAsync(Parameters(stock), Cancellation)
            : command.ExecuteReader(Parameters(stock)))
        {
            Assert.IsTrue(reader.Read());
        }

        bed.Proxy.Arm(FaultPoint.AtSql(Query, FaultMoment.BeforeForward, FaultAction.Reset));
        await Assert.ThrowsExactlyAsync<NpgsqlException>(() => async
            ? command.ExecuteScalarAsync(Parameters(stock), Cancellation)
            : Caught(() => command.ExecuteScalar(Parameters(stock))));
    }

    [TestMethod]
    public async Task A_command_says_what_it_runs_and_can_be_copied()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var builder = context.GetService<IRawSqlCommandBuilder>();
        var command = builder.Build("select {0}", [7], context.Model).RelationalCommand;
        Assert.AreEqual("select @p0", command.CommandText);
        Assert.AreEqual("select @p0", command.LogCommandText);
        Assert.HasCount(1, command.Parameters);

        var other = builder.Build("select 1");
        other.PopulateFrom(builder.Build(Query));
        Assert.AreEqual(Query, other.CommandText);
        await using var created = other.CreateDbCommand(Parameters(context), Guid.NewGuid(), DbCommandMethod.ExecuteReader);
        Assert.AreEqual(Query, created.CommandText);
    }

    private static RelationalCommandParameterObject Parameters(CounterContext context)
        => new(context.GetService<IRelationalConnection>(), parameterValues: null, readerColumns: null, context, context.GetService<IRelationalCommandDiagnosticsLogger>());
}
