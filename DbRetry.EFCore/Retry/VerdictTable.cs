namespace DbRetry.EFCore.Retry;

/// <summary>What a failure means in the phase in which it happened.</summary>
/// <remarks>
/// Doubt depends only on whether something that can commit was sent and whether the server answered it; the kind of the failure decides
/// only what happens to work that was certainly not applied.
/// </remarks>
internal static class VerdictTable
{
    internal static Verdict Decide(Failure failure, AttemptPhase phase)
    {
        if (phase == AttemptPhase.Ended)
        {
            return Verdict.Permanent;
        }

        // 40001 and 40P01 say "rolled back" by their very meaning, also when the session ends with them (a standby's conflict with recovery).
        if (failure.Kind == FailureKind.Conflict)
        {
            return Verdict.RolledBack;
        }

        if (MayHaveCommitted(failure.Answer, phase))
        {
            return Verdict.OutcomeInDoubt;
        }

        return failure switch
        {
            { IsRetriable: false } => Verdict.Permanent,
            _ when phase is AttemptPhase.None or AttemptPhase.Opening => Verdict.NeverStarted,
            { Kind: FailureKind.HostUnavailable } when phase is AttemptPhase.ReadingAlone or AttemptPhase.WritingAlone => Verdict.NeverStarted,
            _ => Verdict.RolledBack,
        };
    }

    private static bool MayHaveCommitted(ServerAnswer answer, AttemptPhase phase)
        => phase switch
        {
            AttemptPhase.Committing => answer != ServerAnswer.Complete,

            // A lone statement commits while its Sync is handled, and PostgreSQL takes no interrupt between that commit and ReadyForQuery.
            AttemptPhase.WritingAlone => answer == ServerAnswer.Missing,
            _ => false,
        };
}
