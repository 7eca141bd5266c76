using System.Data.Common;
using DbRetry.EFCore.Hosts.Targets;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Seams;

/// <summary>A command that runs in the strategy of the context whose connection it is given.</summary>
internal sealed class RetryingCommand(IRelationalCommand inner) : IRelationalCommand
{
    public string CommandText => inner.CommandText;

    public string LogCommandText => inner.LogCommandText;

    public IReadOnlyList<IRelationalParameter> Parameters => inner.Parameters;

    public int ExecuteNonQuery(RelationalCommandParameterObject parameterObject)
        => Guarded(parameterObject) is { } connection
            ? connection.Strategies.Create().Execute(
                (inner, parameterObject, connection), static (_, s) => ExecuteNonQuery(s.inner, s.parameterObject, s.connection), null)
            : inner.ExecuteNonQuery(parameterObject);

    public Task<int> ExecuteNonQueryAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
        => Guarded(parameterObject) is { } connection
            ? connection.Strategies.Create().ExecuteAsync(
                (inner, parameterObject, connection),
                static (_, s, token) => ExecuteNonQueryAsync(s.inner, s.parameterObject, s.connection, token),
                null,
                cancellationToken)
            : inner.ExecuteNonQueryAsync(parameterObject, cancellationToken);

    public object? ExecuteScalar(RelationalCommandParameterObject parameterObject)
        => Guarded(parameterObject) is { } connection
            ? connection.Strategies.Create().Execute((inner, parameterObject), static (_, s) => s.inner.ExecuteScalar(s.parameterObject), null)
            : inner.ExecuteScalar(parameterObject);

    public Task<object?> ExecuteScalarAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
        => Guarded(parameterObject) is { } connection
            ? connection.Strategies.Create().ExecuteAsync(
                (inner, parameterObject), static (_, s, token) => s.inner.ExecuteScalarAsync(s.parameterObject, token), null, cancellationToken)
            : inner.ExecuteScalarAsync(parameterObject, cancellationToken);

    public RelationalDataReader ExecuteReader(RelationalCommandParameterObject parameterObject)
        => Guarded(parameterObject) is { } connection
            ? connection.Strategies.Create().Execute((inner, parameterObject), static (_, s) => s.inner.ExecuteReader(s.parameterObject), null)
            : inner.ExecuteReader(parameterObject);

    public Task<RelationalDataReader> ExecuteReaderAsync(
        RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
        => Guarded(parameterObject) is { } connection
            ? connection.Strategies.Create().ExecuteAsync(
                (inner, parameterObject), static (_, s, token) => s.inner.ExecuteReaderAsync(s.parameterObject, token), null, cancellationToken)
            : inner.ExecuteReaderAsync(parameterObject, cancellationToken);

    public DbCommand CreateDbCommand(RelationalCommandParameterObject parameterObject, Guid commandId, DbCommandMethod commandMethod)
        => inner.CreateDbCommand(parameterObject, commandId, commandMethod);

    public void PopulateFrom(IRelationalCommandTemplate commandTemplate) => inner.PopulateFrom(commandTemplate);

    private static ReopenRefusingConnection? Guarded(RelationalCommandParameterObject parameterObject)
        => parameterObject.Connection is ReopenRefusingConnection { IsGuarded: true } connection ? connection : null;

    // The text of a statement that does not read may as well change a setting of the session.
    private static WriteIntent Intent(IRelationalCommand command, RelationalCommandParameterObject parameterObject)
        => StatementNature.MayWrite(parameterObject.CommandSource, command.CommandText) ? WriteIntent.Possible : WriteIntent.None;

    private static int ExecuteNonQuery(IRelationalCommand command, RelationalCommandParameterObject parameterObject, ReopenRefusingConnection connection)
    {
        using var execution = connection.Targets.Execute(Intent(command, parameterObject));
        try
        {
            return command.ExecuteNonQuery(parameterObject);
        }
        catch (PostgresException exception) when (connection.LoneStatements.Refused(exception))
        {
            using var bare = connection.LoneStatements.RunBare();
            return command.ExecuteNonQuery(parameterObject);
        }
    }

    private static async Task<int> ExecuteNonQueryAsync(
        IRelationalCommand command,
        RelationalCommandParameterObject parameterObject,
        ReopenRefusingConnection connection,
        CancellationToken cancellationToken)
    {
        using var execution = connection.Targets.Execute(Intent(command, parameterObject));
        try
        {
            return await command.ExecuteNonQueryAsync(parameterObject, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException exception) when (connection.LoneStatements.Refused(exception))
        {
            using var bare = connection.LoneStatements.RunBare();
            return await command.ExecuteNonQueryAsync(parameterObject, cancellationToken).ConfigureAwait(false);
        }
    }
}
