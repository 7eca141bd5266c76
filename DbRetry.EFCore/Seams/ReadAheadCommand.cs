using DbRetry.EFCore.Buffering;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.EFCore.Seams;

/// <summary>A command of a query, whose result is read ahead by us instead of in full by EF.</summary>
/// <remarks>
/// Leans on EFCore.Relational/Storage/RelationalCommand.cs (ExecuteReader buffers when it is handed the columns that a query reads) and
/// EFCore.Relational/Storage/RelationalConnection.cs (RentCommand: every query gets its command there). All of it is public API. The provider casts
/// readers to its own type in the update pipeline only (src/EFCore.PG/Update/Internal/NpgsqlModificationCommandBatch.cs), which rents no commands.
/// </remarks>
internal sealed class ReadAheadCommand(RelationalCommandBuilderDependencies dependencies, ReopenRefusingConnection connection, int rows)
    : RelationalCommand(dependencies, string.Empty, string.Empty, [])
{
    public override RelationalDataReader ExecuteReader(RelationalCommandParameterObject parameterObject)
    {
        if (!ReadsAhead(parameterObject))
        {
            return base.ExecuteReader(parameterObject);
        }

        var result = base.ExecuteReader(WithoutBuffering(parameterObject));
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
        if (!ReadsAhead(parameterObject))
        {
            return await base.ExecuteReaderAsync(parameterObject, cancellationToken).ConfigureAwait(false);
        }

        var result = await base.ExecuteReaderAsync(WithoutBuffering(parameterObject), cancellationToken).ConfigureAwait(false);
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
