using DbRetry.Demo.Load;

namespace DbRetry.Demo.Views;

/// <summary>The numbers of one moment.</summary>
internal sealed class Sample
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(1);

    public Sample(Board board, TimeSpan bucket)
    {
        Now = board.Clock.Elapsed;
        var throughput = new int[(int)(Now / bucket) + 1];
        foreach (var entry in board.Ledger.Entries)
        {
            switch (entry.Outcome)
            {
                case Outcome.Acknowledged:
                    Count(entry, throughput, bucket);
                    break;
                case Outcome.Failed or Outcome.Unknown:
                    Errors++;
                    break;
            }
        }
        Throughput = throughput;
    }

    public TimeSpan Now { get; }

    public int Orders { get; private set; }

    public int Transfers { get; private set; }

    public int Errors { get; private set; }

    /// <summary>Acknowledgements within the last second.</summary>
    public int PerSecond { get; private set; }

    /// <summary>The same by server.</summary>
    public Dictionary<string, int> PerSecondByHost { get; } = [];

    /// <summary>Acknowledgements from the start on, by bucket.</summary>
    public IReadOnlyList<int> Throughput { get; }

    private void Count(LedgerEntry entry, int[] throughput, TimeSpan bucket)
    {
        if (entry.Kind == RequestKind.Order)
        {
            Orders++;
        }
        else
        {
            Transfers++;
        }
        if (entry.Ended > Now)
        {
            return; // Later than this moment.
        }
        throughput[(int)(entry.Ended / bucket)]++;
        if (entry.Ended > Now - Window)
        {
            PerSecond++;
            var host = entry.ServedBy ?? "unknown";
            PerSecondByHost[host] = PerSecondByHost.GetValueOrDefault(host) + 1;
        }
    }
}
