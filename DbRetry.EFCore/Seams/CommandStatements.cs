using System.Data;
using Npgsql;

namespace DbRetry.EFCore.Seams;

/// <summary>Whether statements of ours may be added to the text of a command.</summary>
/// <remarks>Leans on Npgsql: it splits a text into its statements only when it looks for named parameters in it.</remarks>
internal static class CommandStatements
{
    /// <summary>Whether Npgsql splits texts at all.</summary>
    internal static bool AreSplit { get; } = !AppContext.TryGetSwitch("Npgsql.EnableSqlRewriting", out var enabled) || enabled;

    internal static bool MayBeAddedTo(NpgsqlCommand command)
        => AreSplit
            && command is { CommandType: CommandType.Text, IsPrepared: false }
            && command.Parameters.All(static parameter => parameter is { ParameterName.Length: > 0, Direction: ParameterDirection.Input });
}
