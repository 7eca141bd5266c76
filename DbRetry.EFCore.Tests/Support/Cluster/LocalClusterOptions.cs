namespace DbRetry.EFCore.Tests.Support.Cluster;

internal sealed record LocalClusterOptions
{
    /// <summary>One primary and the rest streaming standbys; 1 to 3.</summary>
    public int Nodes { get; init; } = 1;

    /// <summary>Every commit waits for one standby.</summary>
    public bool Synchronous { get; init; }

    /// <summary>All clusters are copies of one, and have its system identifier, except those that name another.</summary>
    public string System { get; init; } = string.Empty;

    /// <summary>Server settings of every node, on top of ours.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>Puts more files into the folder of each node, beside its data, before it is started.</summary>
    public Action<int, string>? Prepare { get; init; }

    /// <summary>Lines of <c>pg_hba.conf</c> that go before "trust everybody on the loopback interface".</summary>
    public IReadOnlyList<string> AccessRules { get; init; } = [];
}
