namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>A server that did not come up, with the end of its log.</summary>
internal sealed class ServerStartException(string message, bool portTaken) : Exception(message)
{
    public bool PortTaken { get; } = portTaken;
}
