using System.Net.Sockets;

namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>The two ways to end a connection, each harmless when the peer was faster.</summary>
internal static class SocketEnds
{
    /// <summary>What a read or a write throws when the connection is gone, or when it was never PostgreSQL's protocol.</summary>
    public static bool IsBroken(Exception failure) =>
        failure is SocketException or ObjectDisposedException or InvalidDataException;

    /// <summary>Closes with a TCP reset.</summary>
    public static void Reset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception failure) when (IsBroken(failure))
        {
            // Closed by its peer already.
        }
        socket.Dispose();
    }

    /// <summary>Sends an end of stream, and goes on receiving.</summary>
    public static void ShutDown(Socket socket)
    {
        try
        {
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception failure) when (IsBroken(failure))
        {
            // Closed by its peer already.
        }
    }
}
