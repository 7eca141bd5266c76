#pragma warning disable NPG9001 // NpgsqlConnector is marked as subject to change; hence the self-check.
using System.Reflection;
using System.Runtime.CompilerServices;
using Npgsql;
using Npgsql.Internal;

namespace DbRetry.EFCore.Seams;

/// <summary>Repairs a connector that connected at its second try.</summary>
/// <remarks>
/// When a connection is cut while encryption is negotiated, Npgsql 10.0.0 tries again without it, on the same connector, whose event it has disposed in
/// between (src/Npgsql/Internal/NpgsqlConnector.cs, OpenCore and Cleanup; later versions dispose it only at the end). The connection then works until something is put before a
/// command: BEGIN ends in a bare ObjectDisposedException, each time, for as long as the pool keeps it.
/// Proven by Seams/DatabaseOperationTests. Where Npgsql has no such event, nothing is done.
/// </remarks>
internal static class ConnectorEvent
{
    private const string Field = "ReadingPrependedMessagesMRE";

    private static readonly bool IsAvailable =
        typeof(NpgsqlConnector).GetField(Field, BindingFlags.NonPublic | BindingFlags.Instance)?.FieldType == typeof(ManualResetEventSlim)
        && typeof(NpgsqlConnection).GetProperty("Connector", BindingFlags.NonPublic | BindingFlags.Instance) is not null;

    internal static void Repair(NpgsqlConnection connection)
    {
        if (!IsAvailable || Connector(connection) is not { } connector)
        {
            return;
        }

        ref var prepended = ref Event(connector);
        try
        {
            prepended.Wait(0);
        }
        catch (ObjectDisposedException)
        {
            prepended = new ManualResetEventSlim(initialState: true);
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Connector")]
    private static extern NpgsqlConnector? Connector(NpgsqlConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = Field)]
    private static extern ref ManualResetEventSlim Event(NpgsqlConnector connector);
}
