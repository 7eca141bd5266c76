using System.Data.Common;
using DbRetry.EFCore.Buffering;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.EFCore.Seams;

/// <summary>A command of a query, whose result is read ahead by us instead of in full by EF.</summary>
/// <remarks>
/// Leans on EFCore.Relational/Storage/RelationalCommand.cs (ExecuteReader buffers when it is handed the columns that a query reads) and
/// EFCore.Relational/Storage/RelationalConnection.cs (RentCommand: every query gets its command there). EF asks first who wants to hear of a command, opens
/// its connection, makes it and sends it. All of it is public API. The provider casts readers to its own type in the update pipeline only
/// (src/EFCore.PG/Update/Internal/NpgsqlModificationCommandBatch.cs), which rents no commands.
/// </remarks>
internal sealed class ReadAheadCommand(RelationalCommandBuilderDependencies dependencies, ReopenRefusingConnection connection, int rows)
    : RelationalCommand(dependencies, string.Empty, string.Empty, [])
{
    /// <summary>Who hears of it from here; <see langword="null"/> where EF tells him, or nobody wants to know.</summary>
    internal AttemptRecorder? Recorder { get; set; }

    public override RelationalDataReader ExecuteReader(RelationalCommandParameterObject parameterObject)
    {
        Recorder = null;
        if (!ReadsAhead(parameterObject))
        {
            return base.ExecuteReader(parameterObject);
        }

        connection.ReadRest(); // What AttemptCommandLogger does for commands that EF tells of.
        (parameterObject.Logger as AttemptCommandLogger)?.Runs(this);
        var result = base.ExecuteReader(WithoutBuffering(parameterObject));
        Recorder?.Answered();
        try
        {
            var ahead = new ReadAheadReader(result.DbDataReader, parameterObject.ReaderColumns!);
            result.Initialize(connection, result.DbCommand, ahead, result.CommandId, parameterObject.Logger);
            ahead.Fill(rows);
            return Started(result, ahead);
        }
        catch
        {
            CleanUp(result);
            throw;
        }
    }

    public override async Task<RelationalDataReader> ExecuteReaderAsync(
        RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        Recorder = null;
        if (!ReadsAhead(parameterObject))
        {
            return await base.ExecuteReaderAsync(parameterObject, cancellationToken).ConfigureAwait(false);
        }

        await connection.ReadRestAsync(cancellationToken).ConfigureAwait(false);
        (parameterObject.Logger as AttemptCommandLogger)?.Runs(this);
        var result = await base.ExecuteReaderAsync(WithoutBuffering(parameterObject), cancellationToken).ConfigureAwait(false);
        Recorder?.Answered();
        try
        {
            var ahead = new ReadAheadReader(result.DbDataReader, parameterObject.ReaderColumns!);
            result.Initialize(connection, result.DbCommand, ahead, result.CommandId, parameterObject.Logger);
            await ahead.FillAsync(rows, cancellationToken).ConfigureAwait(false);
            return Started(result, ahead);
        }
        catch
        {
            await CleanUpAsync(result).ConfigureAwait(false);
            throw;
        }
    }

    public override DbCommand CreateDbCommand(RelationalCommandParameterObject parameterObject, Guid commandId, DbCommandMethod commandMethod)
    {
        var command = base.CreateDbCommand(parameterObject, commandId, commandMethod);
        Recorder?.Started(command, parameterObject.CommandSource);
        return command;
    }

    // EF's own buffer names the property when a value cannot be read.
    private bool ReadsAhead(RelationalCommandParameterObject parameterObject)
        => parameterObject is { ReaderColumns: not null, DetailedErrorsEnabled: false } && ReferenceEquals(parameterObject.Connection, connection);

    private RelationalDataReader Started(RelationalDataReader result, ReadAheadReader ahead)
    {
        if (!ahead.IsDrained)
        {
            connection.Reads(ahead);
        }

        return result;
    }

    private static RelationalCommandParameterObject WithoutBuffering(RelationalCommandParameterObject parameterObject)
        => new(
            parameterObject.Connection,
            parameterObject.ParameterValues,
            readerColumns: null,
            parameterObject.Context,
            parameterObject.Logger,
            parameterObject.DetailedErrorsEnabled,
            parameterObject.CommandSource);

    private static void CleanUp(RelationalDataReader result)
    {
        try
        {
            result.Dispose();
        }
        catch (Exception)
        {
            // The failure to read says more than that to clean up.
        }
    }

    private static async ValueTask CleanUpAsync(RelationalDataReader result)
    {
        try
        {
            await result.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception)
        {
            // As above.
        }
    }
}
