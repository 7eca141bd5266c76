#pragma warning disable EF1001 // RawSqlCommandBuilder makes the commands of ExecuteSql, of HiLo sequences and of the migrations history.
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Storage.Internal;

namespace DbRetry.EFCore.Seams;

/// <summary>Lets the commands that EF runs outside of any strategy run in one.</summary>
/// <remarks>Leans on EFCore.Relational/Storage/Internal/RawSqlCommandBuilder.cs.</remarks>
internal sealed class RetryingRawSqlCommandBuilder(
    IRelationalCommandBuilderFactory commands,
    ISqlGenerationHelper sql,
    IParameterNameGeneratorFactory names,
    IRelationalTypeMappingSource types) : RawSqlCommandBuilder(commands, sql, names, types)
{
    public override IRelationalCommand Build(string sql) => new RetryingCommand(base.Build(sql));

    public override RawSqlCommand Build(string sql, IEnumerable<object?> parameters, IModel? model)
    {
        var command = base.Build(sql, parameters, model);
        return new RawSqlCommand(new RetryingCommand(command.RelationalCommand), command.ParameterValues);
    }
}
