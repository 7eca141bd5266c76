#pragma warning disable NPG9001 // NpgsqlConnector is marked as subject to change; hence the self-check.
using System.Net.Sockets;
using System.Reflection;
using System.Runtime.CompilerServices;
using Npgsql;
using Npgsql.Internal;

namespace DbRetry.EFCore.Seams;

/// <summary>What only the physical connection beneath an <see cref="NpgsqlConnection"/> knows and can do.</summary>
/// <remarks>
/// Leans on Npgsql 10: NpgsqlConnection.Connector, NpgsqlConnector.TransactionStatus, State and _socket
/// (src/Npgsql/NpgsqlConnection.cs, src/Npgsql/Internal/NpgsqlConnector.cs). Where <see cref="IsAvailable"/> is false, a COMMIT of a failed
/// transaction is not noticed before it is sent, a cancelled COMMIT is waited for until it is answered, commands on a host that fell silent wait for
/// their own timeout, and every transaction asks for all of its identity.
/// </remarks>
internal static class ConnectorState
{
    // Npgsql's enum is internal; its values are the indicators of ReadyForQuery, which the protocol fixes (PostgreSQL manual, 55.7).
    private const byte Failed = (byte)'E';

    private static readonly Func<NpgsqlConnector, byte>? TransactionStatus = Find();
    private static readonly Func<NpgsqlConnector, int>? State = FindState(out Waiting);
    private static readonly int[] Waiting;

    internal static bool IsAvailable => TransactionStatus is not null && State is not null;

    /// <summary>Whether the server has said that the transaction has failed, so that COMMIT would roll it back without an error.</summary>
    internal static bool IsTransactionFailed(NpgsqlConnection connection)
        => TransactionStatus is not null && Connector(connection) is { } connector && TransactionStatus(connector) == Failed;

    /// <summary>Whether something was sent and its answer is not there in full. Unlike <c>FullState</c> it may be asked by any thread at any time.</summary>
    internal static bool IsWaiting(NpgsqlConnection connection)
        => State is not null && Connector(connection) is { } connector && Waiting.Contains(State(connector));

    /// <summary>What stands for the physical connection as long as it lives; <see langword="null"/> where nobody can tell.</summary>
    internal static object? Physical(NpgsqlConnection connection) => IsAvailable ? Connector(connection) : null;

    /// <summary>Ends the conversation from our side: whoever waits for an answer is told at once that none will come.</summary>
    internal static void BreakSocket(NpgsqlConnection connection)
    {
        if (!IsAvailable || Connector(connection) is not { } connector)
        {
            return;
        }

        try
        {
            Socket(connector).Shutdown(SocketShutdown.Both);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It is broken already.
        }
    }

    private static Func<NpgsqlConnector, byte>? Find()
    {
        try
        {
            using var closed = new NpgsqlConnection();
            return Connector(closed) is null && typeof(NpgsqlConnector).GetField("_socket", BindingFlags.NonPublic | BindingFlags.Instance) is not null
                ? typeof(NpgsqlConnector).GetProperty("TransactionStatus", BindingFlags.NonPublic | BindingFlags.Instance)?
                    .GetMethod?.CreateDelegate<Func<NpgsqlConnector, byte>>()
                : null;
        }
        catch (Exception exception) when (exception is MissingMemberException or ArgumentException)
        {
            return null;
        }
    }

    // Npgsql's enum of states is internal; its names are those that FullState shows.
    private static Func<NpgsqlConnector, int>? FindState(out int[] waiting)
    {
        waiting = [];
        try
        {
            var property = typeof(NpgsqlConnector).GetProperty("State", BindingFlags.NonPublic | BindingFlags.Instance);
            if (property?.GetMethod is not { } getter || Enum.GetUnderlyingType(property.PropertyType) != typeof(int))
            {
                return null;
            }

            waiting = [(int)Enum.Parse(property.PropertyType, "Executing"), (int)Enum.Parse(property.PropertyType, "Fetching")];
            return getter.CreateDelegate<Func<NpgsqlConnector, int>>();
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Connector")]
    private static extern NpgsqlConnector? Connector(NpgsqlConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_socket")]
    private static extern ref Socket Socket(NpgsqlConnector connector);
}
