#pragma warning disable EF1001 // INpgsqlRelationalConnection.DataSource is the only place that knows the data source in every wiring.
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Storage.Internal;

namespace DbRetry.EFCore.Seams;

/// <summary>The data source that EF opens a connection from, whether the application passed it in or EF made it (MapEnum, plugins).</summary>
/// <remarks>Leans on the provider's src/EFCore.PG/Storage/Internal/INpgsqlRelationalConnection.cs.</remarks>
internal static class EfDataSource
{
    internal static NpgsqlDataSource? Of(IRelationalConnection? connection, NpgsqlConnection opening)
        => connection is INpgsqlRelationalConnection { DataSource: NpgsqlDataSource dataSource } npgsql && ReferenceEquals(npgsql.DbConnection, opening)
            ? dataSource
            : null;
}
