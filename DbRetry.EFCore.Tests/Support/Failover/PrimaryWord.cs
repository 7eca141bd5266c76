namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>Which server is the primary, by the word of whoever plays the story: nobody has to find out.</summary>
/// <param name="port">Of the primary in the beginning, as it names it.</param>
internal sealed class PrimaryWord(int port)
{
    private volatile int _port = port;

    public int Port => _port;

    public void Tell(int port) => _port = port;
}
