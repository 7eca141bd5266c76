namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>How often a client waits for its server.</summary>
internal static class RoundTrips
{
    /// <summary>The client's turn comes after the server has spoken, or at the beginning. What it says on its way out nobody waits for.</summary>
    public static int Count(IReadOnlyList<ProxiedMessage> messages)
    {
        var turns = 0;
        var serversTurn = false;
        foreach (var message in messages)
        {
            if (message.Sender is Sender.Backend)
            {
                serversTurn = true;
            }
            else if (serversTurn || turns == 0)
            {
                turns++;
                serversTurn = false;
            }
        }
        return turns;
    }
}
