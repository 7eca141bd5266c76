using DbRetry.EFCore;
using DbRetry.EFCore.Commits.Witness;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;
using Microsoft.EntityFrameworkCore.Migrations.Operations.Builders;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Lets a migration make the table that <see cref="CommitVerification.Witness"/> writes to.</summary>
public static class DbRetryMigrationBuilderExtensions
{
    /// <summary>
    /// Creates the table of commit witnesses, unless it is there. Needed only where the application's own role may not create tables; otherwise DbRetry
    /// creates it on demand. That role needs INSERT, SELECT and DELETE on it.
    /// </summary>
    /// <param name="migrationBuilder">The builder that a migration is given.</param>
    /// <param name="table">The name that <see cref="DbRetryOptions.WitnessTable"/> has.</param>
    /// <returns>A builder for the operation.</returns>
    /// <exception cref="ArgumentException"><paramref name="table"/> is no name of a table.</exception>
    public static OperationBuilder<SqlOperation> CreateDbRetryWitnessTable(
        this MigrationBuilder migrationBuilder, string table = DbRetryOptions.DefaultWitnessTable)
    {
        ArgumentNullException.ThrowIfNull(migrationBuilder);
        return migrationBuilder.Sql(WitnessTable.Named(table).CreateSql);
    }

    /// <summary>Drops the table of commit witnesses.</summary>
    /// <param name="migrationBuilder">The builder that a migration is given.</param>
    /// <param name="table">The name that <see cref="DbRetryOptions.WitnessTable"/> has.</param>
    /// <returns>A builder for the operation.</returns>
    /// <exception cref="ArgumentException"><paramref name="table"/> is no name of a table.</exception>
    public static OperationBuilder<SqlOperation> DropDbRetryWitnessTable(
        this MigrationBuilder migrationBuilder, string table = DbRetryOptions.DefaultWitnessTable)
    {
        ArgumentNullException.ThrowIfNull(migrationBuilder);
        return migrationBuilder.Sql(WitnessTable.Named(table).DropSql);
    }
}
