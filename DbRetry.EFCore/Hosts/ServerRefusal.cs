using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>
/// A server that will not tell what it is asked: a managed one may keep functions to itself, and one that only speaks the protocol may not have them.
/// </summary>
internal static class ServerRefusal
{
    internal static bool IsRefusal(this PostgresException exception)
        => exception.SqlState is PostgresErrorCodes.InsufficientPrivilege or PostgresErrorCodes.UndefinedFunction or PostgresErrorCodes.FeatureNotSupported;
}
