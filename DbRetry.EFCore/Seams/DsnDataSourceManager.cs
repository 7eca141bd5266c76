#pragma warning disable EF1001 // NpgsqlDataSourceManager builds the data source for MapEnum and plugins from the raw option, not from EF's connection.
using DbRetry.EFCore.Dsn;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;
using Npgsql.EntityFrameworkCore.PostgreSQL.Storage.Internal;

namespace DbRetry.EFCore.Seams;

/// <summary>Translates a libpq DSN before the provider makes a data source of it.</summary>
/// <remarks>Leans on the provider's src/EFCore.PG/Storage/Internal/NpgsqlDataSourceManager.cs, CreateDataSource.</remarks>
internal sealed class DsnDataSourceManager(IEnumerable<INpgsqlDataSourceConfigurationPlugin> plugins) : NpgsqlDataSourceManager(plugins)
{
    protected override NpgsqlDataSource CreateDataSource(NpgsqlOptionsExtension npgsqlOptionsExtension)
        => base.CreateDataSource(
            (NpgsqlOptionsExtension)npgsqlOptionsExtension.WithConnectionString(DsnTranslation.Of(npgsqlOptionsExtension.ConnectionString!).ConnectionString));
}
