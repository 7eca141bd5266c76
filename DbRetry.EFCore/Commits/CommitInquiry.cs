using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Commits;

/// <summary>What to do next while the outcome of a transaction is being established.</summary>
internal enum InquiryStep
{
    /// <summary>Ask the host <see cref="CommitInquiry.Host"/>.</summary>
    Ask,

    /// <summary>End the transaction if it is still open, on <see cref="CommitInquiry.Host"/>, so that it can never commit.</summary>
    Settle,

    /// <summary>Wait for <see cref="CommitInquiry.Delay"/>, then go on.</summary>
    Wait,

    /// <summary>Nobody who counts has answered: wait for a primary, for <see cref="CommitInquiry.Delay"/> at most, then go on.</summary>
    WaitForPrimary,

    /// <summary><see cref="CommitInquiry.Verdict"/> stands.</summary>
    Done,
}

/// <summary>
/// Asks every host that can be reached, believes the primary with the highest timeline, and goes on until it is decided or the time is over. The primary
/// that has taken the place of the one that was asked to commit decides alone. Only decides what to do; <see cref="CommitVerifier"/> does it.
/// </summary>
/// <param name="proof">Of the transaction.</param>
/// <param name="hosts">How many there are.</param>
/// <param name="memory">The recoveries that were seen.</param>
/// <param name="settings">Those of the context.</param>
/// <param name="time">The clock.</param>
/// <param name="random">For the waits.</param>
/// <param name="since">When the unit failed first.</param>
/// <param name="waitsFirst">Whether somebody else looks for a primary, and none is known: nobody who counts could answer.</param>
internal sealed class CommitInquiry(
    ICommitProof proof, int hosts, RecoveryMemory memory, RetrySettings settings, TimeProvider time, Random random, long since, bool waitsFirst = false)
{
    private readonly List<string> _answers = [];
    private CommitEvidence? _best;
    private int _bestHost;
    private int[] _round = [];
    private int _next;
    private int _waits;
    private bool _waitsFirst = waitsFirst;
    private bool _settling;
    private bool _contradicted;

    internal int Host { get; private set; }

    internal TimeSpan Delay { get; private set; }

    internal CommitVerdict Verdict { get; private set; }

    /// <summary>What was answered in the last round, for the message of the exception.</summary>
    internal string Answers => _answers.Count == 0 ? "no host answered" : string.Join("; ", _answers);

    /// <summary>The host whose word decided; <see langword="null"/> if nobody's did.</summary>
    internal (int Host, ServerIncarnation Server)? Survivor
        => Verdict is CommitVerdict.Committed or CommitVerdict.NotCommitted ? (_bestHost, _best!.Server!.Value) : null;

    /// <param name="primary">The host that is known as the primary now, or -1: most likely it is the one that decides.</param>
    internal InquiryStep Next(int primary = -1)
    {
        if (Verdict is CommitVerdict.Committed or CommitVerdict.NotCommitted)
        {
            return InquiryStep.Done;
        }

        if (_waitsFirst)
        {
            _waitsFirst = false;
            var most = settings.FailoverTimeout - time.GetElapsedTime(since);
            Delay = most < settings.MaxReconnectDelay ? most : settings.MaxReconnectDelay;
            return InquiryStep.WaitForPrimary;
        }

        if (_next < hosts && !IsDecidedBy(primary))
        {
            if (_next == 0)
            {
                _round = [.. Enumerable.Range(0, hosts).OrderBy(host => host == primary ? 0 : 1)];
                _answers.Clear();
                _best = null;
                _contradicted = false;
            }

            Host = _round[_next++];
            return InquiryStep.Ask;
        }

        Verdict = _best is null || _contradicted ? CommitVerdict.Unknown : Judge(_best);
        if (Verdict is CommitVerdict.Committed or CommitVerdict.NotCommitted || IsHopeless())
        {
            return InquiryStep.Done;
        }

        if (Verdict is CommitVerdict.InProgress && !_settling && proof.CanSettle(_best!.Server!.Value))
        {
            _settling = true;
            Host = _bestHost;
            return InquiryStep.Settle;
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
        _settling = false;
        return _best is null ? InquiryStep.WaitForPrimary : InquiryStep.Wait;
    }

    internal void Answered(CommitEvidence evidence)
    {
        if (evidence.Server is not { } server)
        {
            _answers.Add($"{evidence.Host} is a standby");
            return;
        }

        if (!proof.Concerns(server))
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

    /// <summary>Takes in what is known after <see cref="InquiryStep.Settle"/>.</summary>
    internal void Settled(CommitVerdict verdict) => Verdict = verdict;

    internal void Failed(string host, string reason) => _answers.Add($"{host} cannot be asked: {reason}");

    // It is written to already, whatever the others say: nobody waits for them. Should another one take its place before the work is done again, that one
    // is asked as well (RefutedCommit).
    private bool IsDecidedBy(int primary)
        => _next > 0 && _bestHost == primary && _best?.Server is { } server && proof.WasSucceededBy(server)
            && Judge(_best) is CommitVerdict.Committed or CommitVerdict.NotCommitted;

    private CommitVerdict Judge(CommitEvidence evidence) => proof.Judge(evidence, memory.Seen);

    private bool IsHopeless() => _best?.Server is { } server && Verdict is CommitVerdict.Unknown && proof.StaysUnknown(server);
}
