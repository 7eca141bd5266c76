using Npgsql;

namespace DbRetry.EFCore.Hosts.Probing;

internal static class SessionOpen
{
    /// <summary>Opens a connection, which is disposed if that fails.</summary>
    internal static async Task OpenOrDisposeAsync(this NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }
}
