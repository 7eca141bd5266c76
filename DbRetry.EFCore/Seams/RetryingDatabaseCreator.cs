#pragma warning disable EF1001 // NpgsqlDatabaseCreator takes a connection reset for "the database does not exist".
using System.Transactions;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Storage.Internal;

namespace DbRetry.EFCore.Seams;

/// <summary>Looks for, creates and deletes a database, each as a whole that is repeated after a lost connection at any step.</summary>
/// <remarks>
/// Leans on the provider's src/EFCore.PG/Storage/Internal/NpgsqlDatabaseCreator.cs and EFCore.Relational/Storage/RelationalDatabaseCreator.cs:
/// EnsureCreated and EnsureDeleted look first at what is there, and the tables are created in one transaction. A repetition may meet what the
/// lost attempt did, and then says that it was done.
/// </remarks>
internal sealed class RetryingDatabaseCreator(
    RelationalDatabaseCreatorDependencies dependencies,
    INpgsqlRelationalConnection connection,
    IRawSqlCommandBuilder rawSqlCommandBuilder,
    IExecutionStrategyFactory strategies)
    : NpgsqlDatabaseCreator(dependencies, connection, rawSqlCommandBuilder)
{
    private readonly INpgsqlRelationalConnection _connection = connection;
    private readonly IRelationalCommand _select1 = rawSqlCommandBuilder.Build("SELECT 1");
    private bool _triedToCreateTables;

    public override bool Exists()
        => Repeat(requiresPrimary: false, () =>
        {
            using var outside = new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);
            try
            {
                _connection.Open(errorsExpected: true);
            }
            catch (PostgresException exception) when (IsMissing(exception))
            {
                return false;
            }

            try
            {
                _select1.ExecuteNonQuery(Parameters());
                return true;
            }
            finally
            {
                _connection.Close();
            }
        });

    public override Task<bool> ExistsAsync(CancellationToken cancellationToken = default)
        => RepeatAsync(
            requiresPrimary: false,
            async token =>
            {
                using var outside = new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);
                try
                {
                    await _connection.OpenAsync(token, errorsExpected: true).ConfigureAwait(false);
                }
                catch (PostgresException exception) when (IsMissing(exception))
                {
                    return false;
                }

                try
                {
                    await _select1.ExecuteNonQueryAsync(Parameters(), token).ConfigureAwait(false);
                    return true;
                }
                finally
                {
                    await _connection.CloseAsync().ConfigureAwait(false);
                }
            },
            cancellationToken);

    public override void Create()
    {
        var tried = false;
        Repeat(requiresPrimary: true, () =>
        {
            try
            {
                base.Create();
            }
            catch (PostgresException exception) when (tried && exception.SqlState == PostgresErrorCodes.DuplicateDatabase)
            {
                return Exists();
            }
            finally
            {
                tried = true;
            }

            return true;
        });
    }

    public override Task CreateAsync(CancellationToken cancellationToken = default)
    {
        var tried = false;
        return RepeatAsync(
            requiresPrimary: true,
            async token =>
            {
                try
                {
                    await base.CreateAsync(token).ConfigureAwait(false);
                }
                catch (PostgresException exception) when (tried && exception.SqlState == PostgresErrorCodes.DuplicateDatabase)
                {
                    return await ExistsAsync(token).ConfigureAwait(false);
                }
                finally
                {
                    tried = true;
                }

                return true;
            },
            cancellationToken);
    }

    public override void Delete()
    {
        var tried = false;
        Repeat(requiresPrimary: true, () =>
        {
            try
            {
                base.Delete();
            }
            catch (PostgresException exception) when (tried && IsMissing(exception))
            {
                return true;
            }
            finally
            {
                tried = true;
            }

            return true;
        });
    }

    public override Task DeleteAsync(CancellationToken cancellationToken = default)
    {
        var tried = false;
        return RepeatAsync(
            requiresPrimary: true,
            async token =>
            {
                try
                {
                    await base.DeleteAsync(token).ConfigureAwait(false);
                }
                catch (PostgresException exception) when (tried && IsMissing(exception))
                {
                    return true;
                }
                finally
                {
                    tried = true;
                }

                return true;
            },
            cancellationToken);
    }

    public override void CreateTables()
    {
        _triedToCreateTables = true;
        base.CreateTables();
    }

    public override Task CreateTablesAsync(CancellationToken cancellationToken = default)
    {
        _triedToCreateTables = true;
        return base.CreateTablesAsync(cancellationToken);
    }

    public override bool EnsureCreated()
    {
        _triedToCreateTables = false;
        return Repeat(requiresPrimary: true, () => base.EnsureCreated() || _triedToCreateTables);
    }

    public override Task<bool> EnsureCreatedAsync(CancellationToken cancellationToken = default)
    {
        _triedToCreateTables = false;
        return RepeatAsync(
            requiresPrimary: true, async token => await base.EnsureCreatedAsync(token).ConfigureAwait(false) || _triedToCreateTables, cancellationToken);
    }

    private T Repeat<T>(bool requiresPrimary, Func<T> work)
        => strategies.Create() is DbRetryExecutionStrategy strategy ? strategy.Repeat(requiresPrimary, work) : work();

    private Task<T> RepeatAsync<T>(bool requiresPrimary, Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken)
        => strategies.Create() is DbRetryExecutionStrategy strategy
            ? strategy.RepeatAsync(requiresPrimary, work, cancellationToken)
            : work(cancellationToken);

    private static bool IsMissing(PostgresException exception) => exception.SqlState == PostgresErrorCodes.InvalidCatalogName;

    private RelationalCommandParameterObject Parameters()
        => new(
            _connection,
            parameterValues: null,
            readerColumns: null,
            Dependencies.CurrentContext.Context,
            Dependencies.CommandLogger,
            CommandSource.Migrations);
}
