using System.Data.Common;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>The identity of a transaction whose writes are SQL of the application's own.</summary>
[TestClass]
public sealed class IdentityOfStatementsTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task What_an_application_sends_in_its_own_transaction_carries_nothing_and_is_asked_for_before_COMMIT(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var unit = await context.BeginAsync(async);
        Assert.AreEqual(1, await context.SqlAsync(async, "update counters set n = n + 1"));
        bed.Proxy.Arm(FaultPoint.AtCommit(FaultMoment.AfterProcessed, FaultAction.Reset));
        await unit.CommitAsync(async);
        await unit.EndAsync(async);

        Assert.HasCount(1, bed.Proxy.Messages.Where(message => message.IsSql(IdentityQuestion.BeforeCommit)));
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_lone_statement_with_positional_parameters_is_asked_for_before_COMMIT(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(null, builder => builder.AddInterceptors(new PositionalSetter()));

        Assert.AreEqual(1, await context.SqlAsync(async, "update counters set n = 0"));

        Assert.HasCount(1, bed.Proxy.Messages.Where(message => message.IsSql(IdentityQuestion.BeforeCommit)));
        Assert.AreEqual((5L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task An_identity_is_forgotten_when_the_application_ends_the_transaction_behind_its_back(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var unit = await context.BeginAsync(async);
        await context.IncrementAsync(async);
        await context.SqlAsync(async, "commit; begin; update counters set n = n + 1");
        await unit.CommitAsync(async);
        await unit.EndAsync(async);

        Assert.HasCount(1, bed.Proxy.Messages.Where(message => message.IsSql(IdentityQuestion.BeforeCommit)));
        Assert.AreEqual((2L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false, "update counters set n = n + 1", 1)]
    [DataRow(true, "update counters set n = n + 1", 1)]
    [DataRow(false, "update counters set n = n + 1; insert into items(name) values ('a'), ('b') returning id; -- done", 3)]
    [DataRow(true, "update counters set n = n + 1; insert into items(name) values ('a'), ('b') returning id; -- done", 3)]
    [DataRow(true, "update counters set n = n + 1; -- really;", 1)]
    [DataRow(false, "update counters set n = n + 1 -- really;", 1)]
    [DataRow(false, "do 'begin update counters set n = n + 1; end'", -1)]
    [DataRow(true, "do 'begin update counters set n = n + 1; end'", -1)]
    public async Task A_lone_statement_reports_its_own_rows_and_its_text_is_what_it_was(bool async, string sql, int rows)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var texts = new List<string>();
        await using var context = bed.Context(null, builder => builder.AddInterceptors(new TextWatcher(texts)));

        Assert.AreEqual(rows, await context.SqlAsync(async, sql));

        CollectionAssert.AreEqual(new[] { $"executing {sql}", $"executed {sql}" }, texts);
        Assert.HasCount(1, bed.Proxy.Messages.Where(message => message.IsSql(IdentityQuestion.Riding)));
        Assert.IsFalse(bed.Proxy.Messages.Any(message => message.IsSql(IdentityQuestion.BeforeCommit)));
        Assert.AreEqual(1L, (await bed.AppliedAsync()).Counter);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_lone_statement_that_fails_raises_the_same_event_and_the_same_exception(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var texts = new List<string>();
        await using var context = bed.Context(null, builder => builder.AddInterceptors(new TextWatcher(texts)));

        var failure = await Assert.ThrowsExactlyAsync<PostgresException>(() => context.SqlAsync(async, "update counters set n = 1/0"));

        Assert.AreEqual(PostgresErrorCodes.DivisionByZero, failure.SqlState);
        CollectionAssert.AreEqual(
            new[] { "executing update counters set n = 1/0", "failed update counters set n = 1/0 22012" }, texts);
        Assert.AreEqual(1, await context.IncrementAsync(async));
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    // EF names every parameter that it is given; an interceptor need not.
    private sealed class PositionalSetter : DbCommandInterceptor
    {
        public override InterceptionResult<int> NonQueryExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<int> result)
        {
            command.CommandText = "update counters set n = $1";
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = 5 });
            return result;
        }

        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
            => ValueTask.FromResult(NonQueryExecuting(command, eventData, result));
    }

    private sealed class TextWatcher(List<string> texts) : DbCommandInterceptor
    {
        public override InterceptionResult<int> NonQueryExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<int> result)
        {
            texts.Add($"executing {command.CommandText}");
            return result;
        }

        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
            => ValueTask.FromResult(NonQueryExecuting(command, eventData, result));

        public override int NonQueryExecuted(DbCommand command, CommandExecutedEventData eventData, int result)
        {
            texts.Add($"executed {command.CommandText}");
            return result;
        }

        public override ValueTask<int> NonQueryExecutedAsync(
            DbCommand command, CommandExecutedEventData eventData, int result, CancellationToken cancellationToken = default)
            => ValueTask.FromResult(NonQueryExecuted(command, eventData, result));

        public override void CommandFailed(DbCommand command, CommandErrorEventData eventData)
            => texts.Add($"failed {command.CommandText} {(eventData.Exception as PostgresException)?.SqlState}");

        public override Task CommandFailedAsync(
            DbCommand command, CommandErrorEventData eventData, CancellationToken cancellationToken = default)
        {
            CommandFailed(command, eventData);
            return Task.CompletedTask;
        }
    }
}
