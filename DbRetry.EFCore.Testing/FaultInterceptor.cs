using System.Data.Common;
using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;

namespace DbRetry.EFCore.Testing;

/// <summary>Watches one context and lets happen to it what is planned.</summary>
/// <remarks>
/// EF tells of the end of COMMIT when DbRetry has done with it, so DbRetry itself says when a COMMIT was answered (<see cref="IAnswerFault"/>). Without
/// DbRetry the event is early enough.
/// </remarks>
internal sealed class FaultInterceptor(IDbContextOptions options, ICurrentDbContext current, AttemptLog? log = null)
    : DbCommandInterceptor, IDbTransactionInterceptor, IAnswerFault
{
    private readonly FaultSchedule _schedule = options.FindExtension<FaultsExtension>()!.Schedule;
    private readonly bool _hasDbRetry = options.FindExtension<DbRetryOptionsExtension>() is not null;
    private readonly UnitHits _unit = new();
    private int _statements;
    private DbCommand? _writesAlone;

    public override InterceptionResult<DbDataReader> ReaderExecuting(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result)
    {
        Happen(result.HasResult ? null : Before(command, eventData.CommandSource));
        return result;
    }

    public override async ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
        await HappenAsync(result.HasResult ? null : Before(command, eventData.CommandSource)).ConfigureAwait(false);
        return result;
    }

    public override InterceptionResult<object> ScalarExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<object> result)
    {
        Happen(result.HasResult ? null : Before(command, eventData.CommandSource));
        return result;
    }

    public override async ValueTask<InterceptionResult<object>> ScalarExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<object> result, CancellationToken cancellationToken = default)
    {
        await HappenAsync(result.HasResult ? null : Before(command, eventData.CommandSource)).ConfigureAwait(false);
        return result;
    }

    public override InterceptionResult<int> NonQueryExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<int> result)
    {
        Happen(result.HasResult ? null : Before(command, eventData.CommandSource));
        return result;
    }

    public override async ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        await HappenAsync(result.HasResult ? null : Before(command, eventData.CommandSource)).ConfigureAwait(false);
        return result;
    }

    public override int NonQueryExecuted(DbCommand command, CommandExecutedEventData eventData, int result)
    {
        if (CommittedItself(command))
        {
            Answered(Connection);
            Succeeded();
        }

        return result;
    }

    public override async ValueTask<int> NonQueryExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, int result, CancellationToken cancellationToken = default)
    {
        if (CommittedItself(command))
        {
            await AnsweredAsync(Connection).ConfigureAwait(false);
            Succeeded();
        }

        return result;
    }

    // A statement commits when the server has come to its end, and not when its first result is there.
    public override InterceptionResult DataReaderClosing(DbCommand command, DataReaderClosingEventData eventData, InterceptionResult result)
    {
        if (CommittedItself(command))
        {
            eventData.DataReader.Close();
            Answered(Connection);
            Succeeded();
        }

        return result;
    }

    public override async ValueTask<InterceptionResult> DataReaderClosingAsync(
        DbCommand command, DataReaderClosingEventData eventData, InterceptionResult result)
    {
        if (CommittedItself(command))
        {
            await eventData.DataReader.CloseAsync().ConfigureAwait(false);
            await AnsweredAsync(Connection).ConfigureAwait(false);
            Succeeded();
        }

        return result;
    }

    public InterceptionResult<DbTransaction> TransactionStarting(
        DbConnection connection, TransactionStartingEventData eventData, InterceptionResult<DbTransaction> result)
    {
        Happen(result.HasResult ? null : BeforeTransaction());
        return result;
    }

    public async ValueTask<InterceptionResult<DbTransaction>> TransactionStartingAsync(
        DbConnection connection,
        TransactionStartingEventData eventData,
        InterceptionResult<DbTransaction> result,
        CancellationToken cancellationToken = default)
    {
        await HappenAsync(result.HasResult ? null : BeforeTransaction()).ConfigureAwait(false);
        return result;
    }

    public DbTransaction TransactionStarted(DbConnection connection, TransactionEndEventData eventData, DbTransaction result)
    {
        _statements = 0;
        return result;
    }

    public ValueTask<DbTransaction> TransactionStartedAsync(
        DbConnection connection, TransactionEndEventData eventData, DbTransaction result, CancellationToken cancellationToken = default)
    {
        _statements = 0;
        return ValueTask.FromResult(result);
    }

    public InterceptionResult TransactionCommitting(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result)
    {
        Happen(result.IsSuppressed ? null : BeforeCommit());
        return result;
    }

    public async ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        await HappenAsync(result.IsSuppressed ? null : BeforeCommit()).ConfigureAwait(false);
        return result;
    }

    public void TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData)
    {
        if (!_hasDbRetry)
        {
            Answered(Connection);
        }

        Succeeded();
    }

    public async Task TransactionCommittedAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        if (!_hasDbRetry)
        {
            await AnsweredAsync(Connection).ConfigureAwait(false);
        }

        Succeeded();
    }

    public void Answered(NpgsqlConnection connection)
    {
        if (Take(new(FaultMoment.Committed, current.Context, _unit)) is not null)
        {
            ConnectionLoss.Suffer(connection);
        }
    }

    public async Task AnsweredAsync(NpgsqlConnection connection)
    {
        if (Take(new(FaultMoment.Committed, current.Context, _unit)) is not null)
        {
            await ConnectionLoss.SufferAsync(connection).ConfigureAwait(false);
        }
    }

    private NpgsqlConnection Connection => (NpgsqlConnection)current.Context.Database.GetDbConnection();

    private PlannedFault? Before(DbCommand command, CommandSource source)
    {
        if (IsEFsOwn(source) || !IsOfUse(Connection))
        {
            return null;
        }

        var alone = command.Transaction is null;
        var mayWrite = StatementNature.MayWrite(source, command.CommandText);
        _writesAlone = alone && mayWrite ? command : null;
        _statements = alone ? 1 : _statements + 1;
        return Take(new(FaultMoment.BeforeStatement, current.Context, _unit, _statements, alone, mayWrite));
    }

    private PlannedFault? BeforeTransaction() => IsOfUse(Connection) ? Take(new(FaultMoment.BeforeTransaction, current.Context, _unit)) : null;

    private PlannedFault? BeforeCommit() => IsOfUse(Connection) ? Take(new(FaultMoment.BeforeCommit, current.Context, _unit)) : null;

    // The schema, and the numbers that EF fetches for keys now and then: no test could count those.
    private static bool IsEFsOwn(CommandSource source)
        => source is CommandSource.Unknown or CommandSource.Migrations or CommandSource.Scaffolding or CommandSource.ValueGenerator;

    // Nothing more can be done to a transaction that is lost or has failed.
    private static bool IsOfUse(NpgsqlConnection connection) => !connection.IsGone() && !ConnectorState.IsTransactionFailed(connection);

    private PlannedFault? Take(FaultSite site)
    {
        if (log is { IsRunning: true, FirstFailureAt: null })
        {
            _unit.Clear();
        }

        return _schedule.Take(site);
    }

    // DbRetry has put some of them into a transaction after all.
    private bool CommittedItself(DbCommand command) => ReferenceEquals(command, _writesAlone) && command.Transaction is null;

    private void Succeeded()
    {
        if (log is not { IsRunning: true })
        {
            _unit.Clear();
        }
    }

    private void Happen(PlannedFault? fault)
    {
        switch (fault?.Kind)
        {
            case null:
                break;
            case DbRetryFaultKind.ConnectionLost:
                ConnectionLoss.Cut(Connection);
                break;
            default:
                using (var command = Command(fault))
                {
                    command.ExecuteNonQuery();
                }

                break;
        }
    }

    private async ValueTask HappenAsync(PlannedFault? fault)
    {
        switch (fault?.Kind)
        {
            case null:
                break;
            case DbRetryFaultKind.ConnectionLost:
                ConnectionLoss.Cut(Connection);
                break;
            default:
                var command = Command(fault);
                await using (command.ConfigureAwait(false))
                {
                    await command.ExecuteNonQueryAsync().ConfigureAwait(false);
                }

                break;
        }
    }

    private NpgsqlCommand Command(PlannedFault fault) => FaultSql.For(fault, Connection);
}
