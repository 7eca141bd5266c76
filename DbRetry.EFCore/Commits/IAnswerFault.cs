using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>Loses the server's answer to a COMMIT that it has carried out. Only DbRetry.EFCore.Testing provides one.</summary>
internal interface IAnswerFault
{
    /// <summary>COMMIT was answered.</summary>
    /// <exception cref="NpgsqlException">It was not, as far as anybody is told: the connection is broken now.</exception>
    void Answered(NpgsqlConnection connection);

    /// <inheritdoc cref="Answered"/>
    Task AnsweredAsync(NpgsqlConnection connection);
}
