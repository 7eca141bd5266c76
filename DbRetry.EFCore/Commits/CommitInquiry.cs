using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Commits;

/// <summary>What to do next while the outcome of a transaction is being established.</summary>
internal enum InquiryStep
{
    /// <summary>Ask the host <see cref="CommitInquiry.Host"/>.</summary>
    Ask,

    /// <summary>End the backend that idles in the transaction, on <see cref="CommitInquiry.Host"/>, so that it can never commit.</summary>
    Fence,

    /// <summary>Wait for <see cref="CommitInquiry.Delay"/>, then go on.</summary>
    Wait,

    /// <summary><see cref="CommitInquiry.Verdict"/> stands.</summary>
    Done,
}

/// <summary>
/// Asks every host that can be reached, believes the primary with the highest timeline, and goes on until it is decided or the time is over. Only
/// decides what to do; <see cref="CommitVerifier"/> does it.
/// </summary>
internal sealed class CommitInquiry(
    TransactionIdentity identity, int hosts, RecoveryMemory memory, RetrySettings settings, TimeProvider time, Random random, long since)
{
    private readonly List<string> _answers = [];
    private CommitEvidence? _best;
    private int _bestHost;
    private int _next;
    private int _waits;
    private bool _fenced;
    private bool _contradicted;

    internal int Host { get; private set; }

    internal TimeSpan Delay { get; private set; }

    internal CommitVerdict Verdict { get; private set; }

    /// <summary>What was answered in the last round, for the message of the exception.</summary>
    internal string Answers => _answers.Count == 0 ? "no host answered" : string.Join("; ", _answers);

    /// <summary>The host whose word decided; <see langword="null"/> if nobody's did.</summary>
    internal int? Survivor => Verdict is CommitVerdict.Committed or CommitVerdict.NotCommitted ? _bestHost : null;

    internal InquiryStep Next()
    {
        if (_next < hosts)
        {
            if (_next == 0)
            {
                _answers.Clear();
                _best = null;
                _contradicted = false;
            }

            Host = _next++;
            return InquiryStep.Ask;
        }

        Verdict = _best is null || _contradicted ? CommitVerdict.Unknown : Judge(_best);
        if (Verdict is CommitVerdict.Committed or CommitVerdict.NotCommitted || IsHopeless())
        {
            return InquiryStep.Done;
        }

        // After a recovery there is no old backend.
        if (Verdict is CommitVerdict.InProgress && !_fenced && _best!.Server!.Value.HasNotRecoveredSince(identity.Server))
        {
            _fenced = true;
            Host = _bestHost;
            return InquiryStep.Fence;
        }

        var left = settings.FailoverTimeout - time.GetElapsedTime(since);
        if (left <= TimeSpan.Zero)
        {
            Verdict = CommitVerdict.Unknown;
            return InquiryStep.Done;
        }

        var delay = RetryDelays.Next(settings, FailureKind.HostUnavailable, ++_waits, random.NextDouble());
        Delay = delay < left ? delay : left;
        _next = 0;
        _fenced = false;
        return InquiryStep.Wait;
    }

    internal void Answered(CommitEvidence evidence)
    {
        if (evidence.Server is not { } server)
        {
            _answers.Add($"{evidence.Host} is a standby");
            return;
        }

        if (server.SystemIdentifier != identity.Server.SystemIdentifier)
        {
            _answers.Add($"{evidence.Host} is of another cluster");
            return;
        }

        _answers.Add($"{evidence.Host} (timeline {server.Timeline}) says {evidence.Status}");
        if (_best?.Server is not { } best || server.Timeline > best.Timeline)
        {
            _contradicted = false;
        }
        else if (server.Timeline < best.Timeline)
        {
            return;
        }
        else if (server != best && Judge(evidence) != Judge(_best))
        {
            // Two servers were promoted independently of each other, and nobody can tell which of them will stay.
            _contradicted = true;
        }

        _best = evidence;
        _bestHost = Host;
    }

    internal void Failed(string host, string reason) => _answers.Add($"{host} cannot be asked: {reason}");

    private CommitVerdict Judge(CommitEvidence evidence) => CommitVerdicts.Decide(identity, evidence, memory.Seen);

    // A primary of an older timeline is not the one that survived, which may still turn up. Anything else will not change by waiting.
    private bool IsHopeless()
        => _best?.Server is { } server && Verdict is CommitVerdict.Unknown && server.Timeline >= identity.Server.Timeline;
}
