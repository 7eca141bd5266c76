#pragma warning disable EF1001 // RelationalCommandDiagnosticsLogger: EF's own, which tells interceptors and logs of commands.
using System.Data.Common;
using System.Diagnostics;
using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Diagnostics.Internal;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;

namespace DbRetry.EFCore.Seams;

/// <summary>Tells of commands where EF tells the application's interceptors, and behind them.</summary>
/// <remarks>
/// An interceptor of ours would make EF create an object for each of the eight events of a command, whoever wants to hear of it; a context in which nobody
/// else listens pays nothing here. Leans on EFCore.Relational/Storage/RelationalCommand.cs and RelationalDataReader.cs, which tell the logger of every
/// command, and ask it before whether it wants to be told.
/// </remarks>
internal sealed class AttemptCommandLogger(
    ILoggerFactory loggerFactory,
    ILoggingOptions loggingOptions,
    DiagnosticSource diagnosticSource,
    LoggingDefinitions loggingDefinitions,
    IDbContextLogger contextLogger,
    IDbContextOptions contextOptions,
    ContextSettings settings,
    LoneStatements loneStatements,
    AttemptRecorder recorder,
    IdentityRider rider,
    IInterceptors? interceptors = null)
    : RelationalCommandDiagnosticsLogger(
        loggerFactory, loggingOptions, diagnosticSource, loggingDefinitions, contextLogger, contextOptions, interceptors)
{
    private readonly bool _isGuarded = settings.Settings is not null;

    // Whether anybody but us wants to hear of the events of a command, of the closing of a reader, and of its disposal.
    private bool _tells;
    private bool _tellsClosing;
    private bool _tellsDisposing;

    public override bool ShouldLogCommandExecute(DateTimeOffset now)
    {
        _tells = base.ShouldLogCommandExecute(now);
        return _isGuarded || _tells;
    }

    public override bool ShouldLogDataReaderClose(DateTimeOffset now)
    {
        _tellsClosing = base.ShouldLogDataReaderClose(now);
        return _isGuarded || _tellsClosing;
    }

    public override bool ShouldLogDataReaderDispose(DateTimeOffset now)
    {
        _tellsDisposing = base.ShouldLogDataReaderDispose(now);
        return _isGuarded || _tellsDisposing;
    }

    public override InterceptionResult<DbDataReader> CommandReaderExecuting(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        DateTimeOffset startTime, CommandSource commandSource)
    {
        var result = _tells
            ? base.CommandReaderExecuting(connection, command, logCommandText, context, commandId, connectionId, startTime, commandSource)
            : default;
        ReaderStarts(command, commandSource, result);
        return result;
    }

    public override async ValueTask<InterceptionResult<DbDataReader>> CommandReaderExecutingAsync(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        DateTimeOffset startTime, CommandSource commandSource, CancellationToken cancellationToken = default)
    {
        var result = _tells
            ? await base.CommandReaderExecutingAsync(
                connection, command, logCommandText, context, commandId, connectionId, startTime, commandSource, cancellationToken).ConfigureAwait(false)
            : default;
        ReaderStarts(command, commandSource, result);
        return result;
    }

    public override InterceptionResult<object> CommandScalarExecuting(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        DateTimeOffset startTime, CommandSource commandSource)
    {
        var result = _tells
            ? base.CommandScalarExecuting(connection, command, logCommandText, context, commandId, connectionId, startTime, commandSource)
            : default;
        Starts(command, commandSource);
        return result;
    }

    public override async ValueTask<InterceptionResult<object>> CommandScalarExecutingAsync(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        DateTimeOffset startTime, CommandSource commandSource, CancellationToken cancellationToken = default)
    {
        var result = _tells
            ? await base.CommandScalarExecutingAsync(
                connection, command, logCommandText, context, commandId, connectionId, startTime, commandSource, cancellationToken).ConfigureAwait(false)
            : default;
        Starts(command, commandSource);
        return result;
    }

    public override InterceptionResult<int> CommandNonQueryExecuting(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        DateTimeOffset startTime, CommandSource commandSource)
    {
        var result = _tells
            ? base.CommandNonQueryExecuting(connection, command, logCommandText, context, commandId, connectionId, startTime, commandSource)
            : default;
        if (_isGuarded && !result.HasResult)
        {
            loneStatements.Begin(command, commandSource, context);
        }

        Starts(command, commandSource);
        return _isGuarded && !result.HasResult && rider.Carries(command, commandSource)
            ? InterceptionResult<int>.SuppressWithResult(rider.Execute(command))
            : result;
    }

    public override async ValueTask<InterceptionResult<int>> CommandNonQueryExecutingAsync(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        DateTimeOffset startTime, CommandSource commandSource, CancellationToken cancellationToken = default)
    {
        var result = _tells
            ? await base.CommandNonQueryExecutingAsync(
                connection, command, logCommandText, context, commandId, connectionId, startTime, commandSource, cancellationToken).ConfigureAwait(false)
            : default;
        if (_isGuarded && !result.HasResult)
        {
            await loneStatements.BeginAsync(command, commandSource, context, cancellationToken).ConfigureAwait(false);
        }

        Starts(command, commandSource);
        return _isGuarded && !result.HasResult && rider.Carries(command, commandSource)
            ? InterceptionResult<int>.SuppressWithResult(await rider.ExecuteAsync(command, cancellationToken).ConfigureAwait(false))
            : result;
    }

    public override DbDataReader CommandReaderExecuted(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        DbDataReader methodResult, DateTimeOffset startTime, TimeSpan duration, CommandSource commandSource)
    {
        if (_tells)
        {
            methodResult = base.CommandReaderExecuted(
                connection, command, logCommandText, context, commandId, connectionId, methodResult, startTime, duration, commandSource);
        }

        Answered();
        return methodResult;
    }

    public override async ValueTask<DbDataReader> CommandReaderExecutedAsync(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        DbDataReader methodResult, DateTimeOffset startTime, TimeSpan duration, CommandSource commandSource, CancellationToken cancellationToken = default)
    {
        if (_tells)
        {
            methodResult = await base.CommandReaderExecutedAsync(
                connection, command, logCommandText, context, commandId, connectionId, methodResult, startTime, duration, commandSource, cancellationToken)
                .ConfigureAwait(false);
        }

        Answered();
        return methodResult;
    }

    public override object? CommandScalarExecuted(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        object? methodResult, DateTimeOffset startTime, TimeSpan duration, CommandSource commandSource)
    {
        if (_tells)
        {
            methodResult = base.CommandScalarExecuted(
                connection, command, logCommandText, context, commandId, connectionId, methodResult, startTime, duration, commandSource);
        }

        Finished();
        return methodResult;
    }

    public override async ValueTask<object?> CommandScalarExecutedAsync(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        object? methodResult, DateTimeOffset startTime, TimeSpan duration, CommandSource commandSource, CancellationToken cancellationToken = default)
    {
        if (_tells)
        {
            methodResult = await base.CommandScalarExecutedAsync(
                connection, command, logCommandText, context, commandId, connectionId, methodResult, startTime, duration, commandSource, cancellationToken)
                .ConfigureAwait(false);
        }

        Finished();
        return methodResult;
    }

    public override int CommandNonQueryExecuted(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        int methodResult, DateTimeOffset startTime, TimeSpan duration, CommandSource commandSource)
    {
        if (_tells)
        {
            methodResult = base.CommandNonQueryExecuted(
                connection, command, logCommandText, context, commandId, connectionId, methodResult, startTime, duration, commandSource);
        }

        loneStatements.Commit(command);
        Finished();
        return methodResult;
    }

    public override async ValueTask<int> CommandNonQueryExecutedAsync(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        int methodResult, DateTimeOffset startTime, TimeSpan duration, CommandSource commandSource, CancellationToken cancellationToken = default)
    {
        if (_tells)
        {
            methodResult = await base.CommandNonQueryExecutedAsync(
                connection, command, logCommandText, context, commandId, connectionId, methodResult, startTime, duration, commandSource, cancellationToken)
                .ConfigureAwait(false);
        }

        await loneStatements.CommitAsync(command, cancellationToken).ConfigureAwait(false);
        Finished();
        return methodResult;
    }

    public override void CommandError(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, DbCommandMethod executeMethod, Guid commandId,
        Guid connectionId, Exception exception, DateTimeOffset startTime, TimeSpan duration, CommandSource commandSource)
    {
        base.CommandError(
            connection, command, logCommandText, context, executeMethod, commandId, connectionId, exception, startTime, duration, commandSource);
        loneStatements.RollBack(command);
        Failed(command, exception);
    }

    public override async Task CommandErrorAsync(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, DbCommandMethod executeMethod, Guid commandId,
        Guid connectionId, Exception exception, DateTimeOffset startTime, TimeSpan duration, CommandSource commandSource,
        CancellationToken cancellationToken = default)
    {
        await base.CommandErrorAsync(
            connection, command, logCommandText, context, executeMethod, commandId, connectionId, exception, startTime, duration, commandSource,
            cancellationToken).ConfigureAwait(false);
        await loneStatements.RollBackAsync(command).ConfigureAwait(false);
        Failed(command, exception);
    }

    public override void CommandCanceled(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, DbCommandMethod executeMethod, Guid commandId,
        Guid connectionId, DateTimeOffset startTime, TimeSpan duration, CommandSource commandSource)
    {
        base.CommandCanceled(connection, command, logCommandText, context, executeMethod, commandId, connectionId, startTime, duration, commandSource);
        loneStatements.RollBack(command);
    }

    public override async Task CommandCanceledAsync(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, DbCommandMethod executeMethod, Guid commandId,
        Guid connectionId, DateTimeOffset startTime, TimeSpan duration, CommandSource commandSource, CancellationToken cancellationToken = default)
    {
        await base.CommandCanceledAsync(
            connection, command, logCommandText, context, executeMethod, commandId, connectionId, startTime, duration, commandSource, cancellationToken)
            .ConfigureAwait(false);
        await loneStatements.RollBackAsync(command).ConfigureAwait(false);
    }

    public override InterceptionResult DataReaderClosing(
        IRelationalConnection connection, DbCommand command, DbDataReader dataReader, Guid commandId, int recordsAffected, int readCount,
        DateTimeOffset startTime)
    {
        var result = _tellsClosing
            ? base.DataReaderClosing(connection, command, dataReader, commandId, recordsAffected, readCount, startTime)
            : default;
        Closes(command);
        rider.Unload(command, dataReader);
        return result;
    }

    public override async ValueTask<InterceptionResult> DataReaderClosingAsync(
        IRelationalConnection connection, DbCommand command, DbDataReader dataReader, Guid commandId, int recordsAffected, int readCount,
        DateTimeOffset startTime)
    {
        var result = _tellsClosing
            ? await base.DataReaderClosingAsync(connection, command, dataReader, commandId, recordsAffected, readCount, startTime).ConfigureAwait(false)
            : default;
        Closes(command);
        await rider.UnloadAsync(command, dataReader).ConfigureAwait(false);
        return result;
    }

    public override InterceptionResult DataReaderDisposing(
        IRelationalConnection connection, DbCommand command, DbDataReader dataReader, Guid commandId, int recordsAffected, int readCount,
        DateTimeOffset startTime, TimeSpan duration)
    {
        var result = _tellsDisposing
            ? base.DataReaderDisposing(connection, command, dataReader, commandId, recordsAffected, readCount, startTime, duration)
            : default;
        Closes(command);
        return result;
    }

    private void ReaderStarts(DbCommand command, CommandSource source, InterceptionResult<DbDataReader> result)
    {
        Starts(command, source);
        if (_isGuarded)
        {
            rider.Load(command, source, mayCarry: !result.HasResult);
        }
    }

    private void Starts(DbCommand command, CommandSource source)
    {
        if (_isGuarded)
        {
            recorder.Started(command, source);
        }
    }

    private void Answered()
    {
        if (_isGuarded)
        {
            recorder.Answered();
        }
    }

    private void Finished()
    {
        if (_isGuarded)
        {
            recorder.Finished();
        }
    }

    private void Failed(DbCommand command, Exception exception)
    {
        if (_isGuarded)
        {
            recorder.Failed(command, exception);
        }
    }

    private void Closes(DbCommand command)
    {
        if (_isGuarded)
        {
            recorder.Read(command);
        }
    }
}
