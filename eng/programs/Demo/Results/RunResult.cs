using DbRetry.Demo.Load;
using DbRetry.Demo.Shop;
using DbRetry.Demo.Trouble;

namespace DbRetry.Demo.Results;

/// <summary>What callers were told, held against what the database has.</summary>
internal sealed record RunResult
{
    private static readonly TimeSpan Noticeable = TimeSpan.FromMilliseconds(250);

    public RunResult(RetryMode mode, IReadOnlyCollection<LedgerEntry> entries, RetryTally retries, PrimaryOutage outage, GroundTruth truth)
    {
        Mode = mode;
        Retries = retries;
        Outage = outage;
        var told = entries.ToLookup(entry => entry.Outcome);
        Acknowledged = told[Outcome.Acknowledged].Count();
        Found = told[Outcome.Acknowledged].Count(IsApplied);
        Duplicated = truth.Rows.Values.Count(rows => rows > 1);
        Failed = told[Outcome.Failed].Count();
        FailedButApplied = told[Outcome.Failed].Count(IsApplied);
        Unknown = told[Outcome.Unknown].Count();
        UnknownButApplied = told[Outcome.Unknown].Count(IsApplied);
        CutOff = told[Outcome.CutOff].Count();
        Errors = [.. entries.Where(entry => entry.Error is not null)
            .CountBy(entry => entry.Error!).OrderByDescending(error => error.Value)];
        BalanceError = truth.Balance - (ShopDatabase.Accounts * ShopDatabase.OpeningBalance);
        var silences = Silences(told[Outcome.Acknowledged].Select(entry => entry.Ended), Troublemaker.Length);
        Unserved = TimeSpan.FromTicks(silences.Select(silence => silence.To - silence.From).Where(length => length > Noticeable).Sum(length => length.Ticks));
        (CallersOutage, var over) = silences
            .Where(silence => silence.To > outage.KilledAt)
            .Select(silence => (silence.To - (silence.From > outage.KilledAt ? silence.From : outage.KilledAt), silence.To))
            .Max();
        AfterPromotion = over > outage.WritableAt ? over - outage.WritableAt : TimeSpan.Zero;
        TimeSpan[] waits = [.. told[Outcome.Acknowledged].Select(entry => entry.Ended - entry.Started).Order()];
        Median = Quantile(waits, 0.5);
        OneInAHundred = Quantile(waits, 0.99);
        Slowest = Quantile(waits, 1);

        bool IsApplied(LedgerEntry entry) => truth.Rows.ContainsKey(entry.RequestId);
    }

    public RetryMode Mode { get; }

    public RetryTally Retries { get; }

    public PrimaryOutage Outage { get; }

    public int Acknowledged { get; }

    /// <summary>Acknowledged and in the database.</summary>
    public int Found { get; }

    public int Lost => Acknowledged - Found;

    /// <summary>Applied more than once, whatever the caller was told.</summary>
    public int Duplicated { get; }

    public int Failed { get; }

    public int FailedButApplied { get; }

    public int Unknown { get; }

    public int UnknownButApplied { get; }

    /// <summary>Callers who were still waiting when the demo ended.</summary>
    public int CutOff { get; }

    public IReadOnlyList<KeyValuePair<string, int>> Errors { get; }

    public long BalanceError { get; }

    /// <summary>The longest time without an acknowledgement to anybody, from the death of the primary on.</summary>
    public TimeSpan CallersOutage { get; }

    /// <summary>All silences that last long enough to be noticed, throughout the run.</summary>
    public TimeSpan Unserved { get; }

    /// <summary>How long that silence went on after the new primary took writes.</summary>
    public TimeSpan AfterPromotion { get; }

    public TimeSpan Median { get; }

    public TimeSpan OneInAHundred { get; }

    public TimeSpan Slowest { get; }

    public bool IsExact => Lost == 0 && Duplicated == 0 && BalanceError == 0;

    // The times between two acknowledgements, whoever got them.
    private static List<(TimeSpan From, TimeSpan To)> Silences(IEnumerable<TimeSpan> acknowledgements, TimeSpan end)
    {
        TimeSpan[] ends = [TimeSpan.Zero, .. acknowledgements.Where(at => at < end).Order(), end];
        return [.. ends.Zip(ends.Skip(1))];
    }

    private static TimeSpan Quantile(TimeSpan[] ordered, double share) =>
        ordered is [] ? TimeSpan.Zero : ordered[(int)((ordered.Length - 1) * share)];
}
