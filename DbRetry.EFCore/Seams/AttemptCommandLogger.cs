#pragma warning disable EF1001 // RelationalCommandDiagnosticsLogger: EF's own, which tells interceptors and logs of commands.
using System.Data.Common;
using System.Diagnostics;
using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Retry.Contention;
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
    AttemptRecorder attemptRecorder,
    IdentityRider identityRider,
    LaneLock laneLock,
    IInterceptors? interceptors = null)
    : RelationalCommandDiagnosticsLogger(
        loggerFactory, loggingOptions, diagnosticSource, loggingDefinitions, contextLogger, contextOptions, interceptors)
{
    // None in a context that did not ask for DbRetry.
    private readonly AttemptRecorder? _recorder = settings.Settings is null ? null : attemptRecorder;
    private readonly IdentityRider? _rider = settings.Settings is null ? null : identityRider;

    // Whether anybody but us wants to hear of the events of a command, of the closing of a reader, and of its disposal.
    private bool _tells;
    private bool _tellsClosing;
    private bool _tellsDisposing;

    // The query that EF asks about next.
    private ReadAheadCommand? _query;

    public override bool ShouldLogCommandExecute(DateTimeOffset now)
    {
        _tells = base.ShouldLogCommandExecute(now);
        var query = _query;
        _query = null;
        query?.Recorder = _tells || _recorder is { MayHaveToWait: true } ? null : _recorder;
        return _tells || (_recorder is not null && query?.Recorder is null);
    }

    /// <summary>
    /// A query is run next that can tell the recorder by itself. If nobody else wants to hear of it, EF is not asked to: it would make a Guid for its events
    /// by a call of the system, which takes 1 to 2 % of a small query.
    /// </summary>
    internal void Runs(ReadAheadCommand query) => _query = query;

    public override bool ShouldLogDataReaderClose(DateTimeOffset now)
    {
        _tellsClosing = base.ShouldLogDataReaderClose(now);
        return _recorder is not null || _tellsClosing;
    }

    public override bool ShouldLogDataReaderDispose(DateTimeOffset now)
    {
        _tellsDisposing = base.ShouldLogDataReaderDispose(now);
        return _recorder is not null || _tellsDisposing;
    }

    public override InterceptionResult<DbDataReader> CommandReaderExecuting(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        DateTimeOffset startTime, CommandSource commandSource)
    {
        Ready(connection, command);
        var result = _tells
            ? base.CommandReaderExecuting(connection, command, logCommandText, context, commandId, connectionId, startTime, commandSource)
            : default;
        ReaderStarts(command, commandSource, result);
        return !result.HasResult && laneLock.Execute(command, commandSource, along: true) is { } reader
            ? InterceptionResult<DbDataReader>.SuppressWithResult(reader)
            : result;
    }

    public override async ValueTask<InterceptionResult<DbDataReader>> CommandReaderExecutingAsync(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        DateTimeOffset startTime, CommandSource commandSource, CancellationToken cancellationToken = default)
    {
        await ReadyAsync(connection, command, cancellationToken).ConfigureAwait(false);
        var result = _tells
            ? await base.CommandReaderExecutingAsync(
                connection, command, logCommandText, context, commandId, connectionId, startTime, commandSource, cancellationToken).ConfigureAwait(false)
            : default;
        ReaderStarts(command, commandSource, result);
        return !result.HasResult
            && await laneLock.ExecuteAsync(command, commandSource, along: true, cancellationToken).ConfigureAwait(false) is { } reader
            ? InterceptionResult<DbDataReader>.SuppressWithResult(reader)
            : result;
    }

    public override InterceptionResult<object> CommandScalarExecuting(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        DateTimeOffset startTime, CommandSource commandSource)
    {
        Ready(connection, command);
        var result = _tells
            ? base.CommandScalarExecuting(connection, command, logCommandText, context, commandId, connectionId, startTime, commandSource)
            : default;
        _recorder?.Started(command, commandSource);
        if (!result.HasResult)
        {
            laneLock.Execute(command, commandSource, along: false);
        }

        return result;
    }

    public override async ValueTask<InterceptionResult<object>> CommandScalarExecutingAsync(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        DateTimeOffset startTime, CommandSource commandSource, CancellationToken cancellationToken = default)
    {
        await ReadyAsync(connection, command, cancellationToken).ConfigureAwait(false);
        var result = _tells
            ? await base.CommandScalarExecutingAsync(
                connection, command, logCommandText, context, commandId, connectionId, startTime, commandSource, cancellationToken).ConfigureAwait(false)
            : default;
        _recorder?.Started(command, commandSource);
        if (!result.HasResult)
        {
            await laneLock.ExecuteAsync(command, commandSource, along: false, cancellationToken).ConfigureAwait(false);
        }

        return result;
    }

    public override InterceptionResult<int> CommandNonQueryExecuting(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        DateTimeOffset startTime, CommandSource commandSource)
    {
        Ready(connection, command);
        var result = _tells
            ? base.CommandNonQueryExecuting(connection, command, logCommandText, context, commandId, connectionId, startTime, commandSource)
            : default;
        if (_recorder is not null && !result.HasResult)
        {
            loneStatements.Begin(command, commandSource, context);
        }

        _recorder?.Started(command, commandSource);
        if (result.HasResult)
        {
            return result;
        }

        if (_rider?.Carries(command, commandSource) is true)
        {
            return InterceptionResult<int>.SuppressWithResult(_rider.Execute(command, commandSource));
        }

        laneLock.Execute(command, commandSource, along: false);
        return result;
    }

    public override async ValueTask<InterceptionResult<int>> CommandNonQueryExecutingAsync(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, Guid commandId, Guid connectionId,
        DateTimeOffset startTime, CommandSource commandSource, CancellationToken cancellationToken = default)
    {
        await ReadyAsync(connection, command, cancellationToken).ConfigureAwait(false);
        var result = _tells
            ? await base.CommandNonQueryExecutingAsync(
                connection, command, logCommandText, context, commandId, connectionId, startTime, commandSource, cancellationToken).ConfigureAwait(false)
            : default;
        if (_recorder is not null && !result.HasResult)
        {
            await loneStatements.BeginAsync(command, commandSource, context, cancellationToken).ConfigureAwait(false);
        }

        _recorder?.Started(command, commandSource);
        if (result.HasResult)
        {
            return result;
        }

        if (_rider?.Carries(command, commandSource) is true)
        {
            return InterceptionResult<int>.SuppressWithResult(
                await _rider.ExecuteAsync(command, commandSource, cancellationToken).ConfigureAwait(false));
        }

        await laneLock.ExecuteAsync(command, commandSource, along: false, cancellationToken).ConfigureAwait(false);
        return result;
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

        _recorder?.Answered();
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

        _recorder?.Answered();
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

        _recorder?.Finished();
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

        _recorder?.Finished();
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
        _recorder?.Finished();
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
        _recorder?.Finished();
        return methodResult;
    }

    public override void CommandError(
        IRelationalConnection connection, DbCommand command, string logCommandText, DbContext? context, DbCommandMethod executeMethod, Guid commandId,
        Guid connectionId, Exception exception, DateTimeOffset startTime, TimeSpan duration, CommandSource commandSource)
    {
        base.CommandError(
            connection, command, logCommandText, context, executeMethod, commandId, connectionId, exception, startTime, duration, commandSource);
        loneStatements.RollBack(command);
        _recorder?.Failed(command, exception);
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
        _recorder?.Failed(command, exception);
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
        _recorder?.Read(command);
        _rider?.Unload(command, dataReader);
        return result;
    }

    public override async ValueTask<InterceptionResult> DataReaderClosingAsync(
        IRelationalConnection connection, DbCommand command, DbDataReader dataReader, Guid commandId, int recordsAffected, int readCount,
        DateTimeOffset startTime)
    {
        var result = _tellsClosing
            ? await base.DataReaderClosingAsync(connection, command, dataReader, commandId, recordsAffected, readCount, startTime).ConfigureAwait(false)
            : default;
        _recorder?.Read(command);
        if (_rider is not null)
        {
            await _rider.UnloadAsync(command, dataReader).ConfigureAwait(false);
        }

        return result;
    }

    public override InterceptionResult DataReaderDisposing(
        IRelationalConnection connection, DbCommand command, DbDataReader dataReader, Guid commandId, int recordsAffected, int readCount,
        DateTimeOffset startTime, TimeSpan duration)
    {
        var result = _tellsDisposing
            ? base.DataReaderDisposing(connection, command, dataReader, commandId, recordsAffected, readCount, startTime, duration)
            : default;
        _recorder?.Read(command);
        return result;
    }

    // A result that is still being read would keep the connection busy.
    private void Ready(IRelationalConnection connection, DbCommand command)
    {
        (connection as ReopenRefusingConnection)?.ReadRest();
        _recorder?.Sending(command);
    }

    private async ValueTask ReadyAsync(IRelationalConnection connection, DbCommand command, CancellationToken cancellationToken)
    {
        if (connection is ReopenRefusingConnection own)
        {
            await own.ReadRestAsync(cancellationToken).ConfigureAwait(false);
        }

        if (_recorder is not null)
        {
            await _recorder.SendingAsync(command, cancellationToken).ConfigureAwait(false);
        }
    }

    private void ReaderStarts(DbCommand command, CommandSource source, InterceptionResult<DbDataReader> result)
    {
        _recorder?.Started(command, source);
        _rider?.Load(command, source, mayCarry: !result.HasResult);
    }
}
