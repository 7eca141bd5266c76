#pragma warning disable NPG9001 // NpgsqlConnector is marked as subject to change; hence the self-check.
using System.Buffers.Binary;
using System.Data;
using System.Net.Sockets;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using Npgsql;
using Npgsql.Internal;

namespace DbRetry.EFCore.Seams;

/// <summary>What only the physical connection beneath an <see cref="NpgsqlConnection"/> knows and can do.</summary>
/// <remarks>
/// Leans on Npgsql 10: NpgsqlConnection.Connector, NpgsqlConnector.TransactionStatus, State, PrependInternalMessage and _socket
/// (src/Npgsql/NpgsqlConnection.cs, src/Npgsql/Internal/NpgsqlConnector.cs). Where <see cref="IsAvailable"/> is false, a COMMIT of a failed
/// transaction is not noticed before it is sent, a cancelled COMMIT is waited for until it is answered, commands on a host that fell silent wait for
/// their own timeout, every transaction asks for all of its identity, savepoints take round trips of their own, and units do not take turns with those
/// of other processes.
/// </remarks>
internal static class ConnectorState
{
    // Npgsql's enum is internal; its values are the indicators of ReadyForQuery, which the protocol fixes (PostgreSQL manual, 55.7).
    private const byte InProgress = (byte)'T';
    private const byte Failed = (byte)'E';

    // Npgsql's own: BEGIN goes along with the next command.
    private const byte Pending = byte.MaxValue;

    private static readonly Func<NpgsqlConnector, byte>? TransactionStatus = Find();
    private static readonly Func<NpgsqlConnector, int>? State = FindState(out Waiting);
    private static readonly int[] Waiting;
    private static readonly bool CanPrepend = typeof(NpgsqlConnector)
        .GetMethod("PrependInternalMessage", BindingFlags.NonPublic | BindingFlags.Instance, [typeof(byte[]), typeof(int)]) is not null;

    internal static bool IsAvailable => TransactionStatus is not null && State is not null && CanPrepend;

    /// <summary>Whether the server has said that the transaction has failed, so that COMMIT would roll it back without an error.</summary>
    internal static bool IsTransactionFailed(NpgsqlConnection connection) => Status(connection) == Failed;

    /// <summary>Whether statements may be sent along with the next one: a transaction is open that has not failed, and nobody uses the connection.</summary>
    internal static bool MaySendAlong(NpgsqlConnection connection)
        => IsAvailable && connection.FullState is ConnectionState.Open && Status(connection) is InProgress or Pending;

    /// <summary>Sends a statement that cannot fail along with the next one.</summary>
    /// <returns>Whether it could: not where Npgsql may use the connection by itself at any time (<c>Keepalive</c>).</returns>
    internal static bool SendAlong(NpgsqlConnection connection, byte[] query)
    {
        if (!MaySendAlong(connection) || Connector(connection) is not { Settings.KeepAlive: 0 } connector)
        {
            return false;
        }

        // It is answered by CommandComplete and ReadyForQuery.
        Prepend(connector, query, 2);
        return true;
    }

    /// <summary>The message that asks for a statement to be run, for <see cref="SendAlong"/>.</summary>
    internal static byte[] Query(string sql)
    {
        var message = new byte[Encoding.UTF8.GetByteCount(sql) + 6];
        message[0] = (byte)'Q';
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), message.Length - 1);
        Encoding.UTF8.GetBytes(sql, message.AsSpan(5));
        return message;
    }

    /// <summary>Whether the transaction has not begun on the server yet.</summary>
    internal static bool IsTransactionPending(NpgsqlConnection connection) => Status(connection) == Pending;

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

    private static byte? Status(NpgsqlConnection connection)
        => TransactionStatus is not null && Connector(connection) is { } connector ? TransactionStatus(connector) : null;

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Connector")]
    private static extern NpgsqlConnector? Connector(NpgsqlConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "PrependInternalMessage")]
    private static extern void Prepend(NpgsqlConnector connector, byte[] rawMessage, int responseMessageCount);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_socket")]
    private static extern ref Socket Socket(NpgsqlConnector connector);
}
