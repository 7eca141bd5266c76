namespace DbRetry.EFCore.Hosts;

/// <summary>What an <see cref="OpenSearch"/> needs only if its first host is not the one, and is made only then: most opens never do.</summary>
internal sealed class OpenDetour
{
    internal SortedDictionary<int, HostFailure> Failures { get; } = [];

    internal long? FirstFailureAt { get; set; }

    internal Exception? Permanent { get; set; }

    internal Exception? Missing { get; set; }

    internal int MissingOn { get; set; }

    internal int[] Pass { get; set; } = [];

    internal int NextInPass { get; set; }

    internal int? Acceptable { get; set; }

    internal bool Settles { get; set; }

    internal bool Again { get; set; }

    internal bool HasWaited { get; set; }

    internal int Waits { get; set; }

    internal long? WaitingSince { get; set; }

    internal TimeSpan Delay { get; set; }

    internal TimeSpan Rest { get; set; }

    internal Exception? Error { get; set; }
}
