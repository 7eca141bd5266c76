using System.Data.Common;
using DbRetry.EFCore.Hosts.Targets;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.EFCore.Seams;

/// <summary>The command of a query, of ExecuteUpdate or of ExecuteDelete. It tells what it needs of the host before its connection is opened.</summary>
/// <remarks>
/// No interceptor can: EF opens the connection of a query first and makes the command afterwards (EFCore.Relational/Storage/RelationalCommand.cs,
/// ExecuteReader). But this object, with the text, is rented from the connection before that (RelationalConnection.RentCommand).
/// </remarks>
internal sealed class RoutedCommand(IRelationalCommand inner, SessionTargets targets) : IRelationalCommand
{
    public string CommandText => inner.CommandText;

    public string LogCommandText => inner.LogCommandText;

    public IReadOnlyList<IRelationalParameter> Parameters => inner.Parameters;

    public RelationalDataReader ExecuteReader(RelationalCommandParameterObject parameterObject)
    {
        if (QueryTarget.Find(CommandText) is not { } target)
        {
            return inner.ExecuteReader(parameterObject);
        }

        targets.ThrowIfOpenElsewhere(target);
        using (targets.Execute(WriteIntent.None, target))
        {
            return inner.ExecuteReader(parameterObject);
        }
    }

    public Task<RelationalDataReader> ExecuteReaderAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
        => QueryTarget.Find(CommandText) is { } target
            ? ExecuteReaderAsync(parameterObject, target, cancellationToken)
            : inner.ExecuteReaderAsync(parameterObject, cancellationToken);

    public int ExecuteNonQuery(RelationalCommandParameterObject parameterObject)
    {
        using (targets.Execute(WriteIntent.Certain, QueryTarget.Find(CommandText)))
        {
            return inner.ExecuteNonQuery(parameterObject);
        }
    }

    public async Task<int> ExecuteNonQueryAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        using (targets.Execute(WriteIntent.Certain, QueryTarget.Find(CommandText)))
        {
            return await inner.ExecuteNonQueryAsync(parameterObject, cancellationToken).ConfigureAwait(false);
        }
    }

    public object? ExecuteScalar(RelationalCommandParameterObject parameterObject) => inner.ExecuteScalar(parameterObject);

    public Task<object?> ExecuteScalarAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
        => inner.ExecuteScalarAsync(parameterObject, cancellationToken);

    public DbCommand CreateDbCommand(RelationalCommandParameterObject parameterObject, Guid commandId, DbCommandMethod commandMethod)
        => inner.CreateDbCommand(parameterObject, commandId, commandMethod);

    public void PopulateFrom(IRelationalCommandTemplate commandTemplate) => inner.PopulateFrom(commandTemplate);

    private async Task<RelationalDataReader> ExecuteReaderAsync(
        RelationalCommandParameterObject parameterObject, TargetSession target, CancellationToken cancellationToken)
    {
        targets.ThrowIfOpenElsewhere(target);
        using (targets.Execute(WriteIntent.None, target))
        {
            return await inner.ExecuteReaderAsync(parameterObject, cancellationToken).ConfigureAwait(false);
        }
    }
}
