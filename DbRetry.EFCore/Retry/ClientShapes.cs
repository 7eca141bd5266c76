using System.Net.Sockets;
using System.Security.Authentication;
using Npgsql;

namespace DbRetry.EFCore.Retry;

/// <summary>The shapes of failures that the client noticed by itself. File and line are those of Npgsql 10.0.0.</summary>
/// <param name="connectionBroken">Whether the connection is broken.</param>
internal sealed class ClientShapes(bool connectionBroken)
{
    // These three have no shape of their own, only words:
    private const string NoSuitableHost = "No suitable host was found."; // NpgsqlMultiHostDataSource.cs:326, without an inner exception
    private const string PoolExhausted = "The connection pool has been exhausted"; // PoolingDataSource.cs:176, around a bare TimeoutException
    private const string ConnectTimeout = "Timeout during connection attempt"; // NpgsqlConnector.cs:1320 and 1420, the inner TimeoutException

    /// <summary>Whether the client waited in vain for a place in its own pool, which says nothing about the host.</summary>
    internal static bool IsPoolExhausted(Exception exception)
        => exception is NpgsqlException { InnerException: TimeoutException } && exception.Message.StartsWith(PoolExhausted, StringComparison.Ordinal);

    /// <summary>
    /// Whether the connector is of no use although it counts as open: its event is disposed when a first, encrypted way to connect was cut and a plain one
    /// then succeeded (npgsql 10.0.0; ServerBehavior/HalfDeadConnectorFacts). Nothing is sent any more on it that follows BEGIN.
    /// </summary>
    internal static bool IsHalfDead(Exception exception)
        => exception is ObjectDisposedException { ObjectName: { } name } && name == typeof(ManualResetEventSlim).FullName;

    /// <summary>The failure that the exception is by its own shape and that of the exception directly inside it, if it is one.</summary>
    internal Failure? Recognise(Exception exception, bool opening)
        => exception switch
        {
            NpgsqlException { InnerException: TimeoutException timeout } => ReadTimeout(exception, timeout, opening),

            // Read and write wrap what the network stream throws, an IOException (NpgsqlReadBuffer.cs:176, 235, 371, NpgsqlWriteBuffer.cs:181).
            // A bare SocketException is wrapped by name resolution and connect alone (NpgsqlConnector.cs:1276, 1337, 1369, 1427).
            NpgsqlException { InnerException: SocketException socket } => Connect(exception, socket),
            NpgsqlException { InnerException: { } inner } when IsNetworkError(inner) || inner is ObjectDisposedException => Network(exception, opening),
            NpgsqlException { InnerException: AuthenticationException inner } => Describe(
                FailureKind.Permanent, "the TLS handshake failed: a certificate or a protocol version does not fit", inner),
            NpgsqlException { InnerException: null, Message: NoSuitableHost } => Describe(
                FailureKind.HostUnavailable, "no host of the wanted role is known", exception),

            // Npgsql lets these out unwrapped: a slow name resolution (NpgsqlConnector.cs:1364) or type loading (NpgsqlDataSource.cs:292), and, when a
            // connection breaks under it, the connector's disposed event (NpgsqlConnector.cs:2535), also when its pool closes a connection just as it is
            // taken, which then still looks open. The others may also be the application's own, from a web service it called: they count only where
            // the connection shows the same.
            SocketException socket when opening => Connect(exception, socket),
            TimeoutException when opening || connectionBroken => Network(exception, opening),
            ObjectDisposedException when connectionBroken || IsHalfDead(exception) => Network(exception, opening),
            SocketException when connectionBroken => Network(exception, opening),
            not null when IsNetworkError(exception) && (opening || connectionBroken) => Network(exception, opening),
            AuthenticationException when opening => Describe(FailureKind.Permanent, "the server could not be authenticated", exception),
            _ => null,
        };

    /// <summary>Whatever Npgsql wraps on a connection that it broke was the end of that connection, though nothing inside is known.</summary>
    internal Failure? RecognisePartly(Exception exception)
        => connectionBroken && exception is NpgsqlException { InnerException: not null }
            ? Describe(FailureKind.LostConnection, "the connection broke", exception)
            : null;

    /// <summary>A failure that no server reported. A connection that outlived it has no answer outstanding.</summary>
    internal Failure Describe(FailureKind kind, string reason, Exception deciding)
        => new(
            kind,
            reason,
            null,
            deciding,
            connectionBroken || kind == FailureKind.LostConnection ? ServerAnswer.Missing : ServerAnswer.Complete);

    private Failure ReadTimeout(Exception exception, TimeoutException timeout, bool opening)
        => IsPoolExhausted(exception)
            ? Describe(FailureKind.Permanent, "the connection pool is exhausted: the client holds all connections it may have", exception)
            : opening || timeout.Message == ConnectTimeout
                ? Describe(FailureKind.HostUnavailable, "the host did not accept a connection in time", exception)
                : connectionBroken
                    ? Describe(FailureKind.LostConnection, "the server did not answer in time, not even a request to cancel", exception)
                    : Describe(FailureKind.Permanent, "the command timeout passed; a slow statement is not made faster by repeating it", exception);

    private Failure Connect(Exception exception, SocketException socket)
        => socket.SocketErrorCode is SocketError.AccessDenied or SocketError.AddressFamilyNotSupported or SocketError.ProtocolFamilyNotSupported
            or SocketError.ProtocolNotSupported or SocketError.SocketNotSupported or SocketError.OperationNotSupported or SocketError.InvalidArgument
            or SocketError.TooManyOpenSockets
            ? Describe(FailureKind.Permanent, "this machine does not allow such a connection", exception)

            // A name that does not resolve is no exception: managed services fail over by rewriting it.
            : Describe(FailureKind.HostUnavailable, "the host cannot be reached", exception);

    private Failure Network(Exception exception, bool opening)
        => opening
            ? Describe(FailureKind.HostUnavailable, "the connection was cut while it was set up", exception)
            : Describe(FailureKind.LostConnection, "the connection broke", exception);

    /// <summary>Files have exceptions of their own beneath IOException; a missing certificate stays missing.</summary>
    private static bool IsNetworkError(Exception exception)
        => exception.GetType() == typeof(IOException) || exception is EndOfStreamException;
}
