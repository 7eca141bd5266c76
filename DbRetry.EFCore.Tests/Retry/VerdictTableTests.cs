using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class VerdictTableTests
{
    /// <summary>
    /// One row per kind and answer; the columns are the phases. N never started, R rolled back, D in doubt, P permanent.
    /// </summary>
    private const string Table = """
                                      None Opening ReadingAlone WritingAlone InTransaction Committing Ended
        Permanent       Missing        P    P       P            D            P             D          P
        Permanent       SessionEnded   P    P       P            P            P             D          P
        Permanent       Complete       P    P       P            P            P             P          P
        Cancelled       Missing        P    P       P            D            P             D          P
        Cancelled       SessionEnded   P    P       P            P            P             D          P
        Cancelled       Complete       P    P       P            P            P             P          P
        Conflict        Missing        R    R       R            R            R             R          P
        Conflict        SessionEnded   R    R       R            R            R             R          P
        Conflict        Complete       R    R       R            R            R             R          P
        LostConnection  Missing        N    N       R            D            R             D          P
        LostConnection  SessionEnded   N    N       R            R            R             D          P
        LostConnection  Complete       N    N       R            R            R             R          P
        HostUnavailable Missing        N    N       N            D            R             D          P
        HostUnavailable SessionEnded   N    N       N            N            R             D          P
        HostUnavailable Complete       N    N       N            N            R             R          P
        ReadOnlyHost    Missing        N    N       R            D            R             D          P
        ReadOnlyHost    SessionEnded   N    N       R            R            R             D          P
        ReadOnlyHost    Complete       N    N       R            R            R             R          P
        OutcomeUnknown  Missing        P    P       P            D            P             D          P
        OutcomeUnknown  SessionEnded   P    P       P            P            P             D          P
        OutcomeUnknown  Complete       P    P       P            P            P             P          P
        Declared        Missing        N    N       R            D            R             D          P
        Declared        SessionEnded   N    N       R            R            R             D          P
        Declared        Complete       N    N       R            R            R             R          P
        """;

    private static readonly Dictionary<char, Verdict> Letters = new()
    {
        ['N'] = Verdict.NeverStarted,
        ['R'] = Verdict.RolledBack,
        ['D'] = Verdict.OutcomeInDoubt,
        ['P'] = Verdict.Permanent,
    };

    [TestMethod]
    public void every_kind_answer_and_phase_has_its_verdict()
    {
        var lines = Table.Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToList();
        var phases = lines[0].Select(Enum.Parse<AttemptPhase>).ToArray();
        CollectionAssert.AreEqual(Enum.GetValues<AttemptPhase>(), phases);
        var seen = new HashSet<(FailureKind, ServerAnswer)>();
        foreach (var line in lines.Skip(1))
        {
            var kind = Enum.Parse<FailureKind>(line[0]);
            var answer = Enum.Parse<ServerAnswer>(line[1]);
            seen.Add((kind, answer));
            for (var i = 0; i < phases.Length; i++)
            {
                Assert.AreEqual(Letters[line[i + 2][0]], VerdictTable.Decide(Of(kind, answer), phases[i]), $"{kind} {answer} {phases[i]}");
            }
        }

        Assert.HasCount(Enum.GetValues<FailureKind>().Length * Enum.GetValues<ServerAnswer>().Length, seen);
    }

    [TestMethod]
    public void only_an_answered_commit_is_never_in_doubt()
    {
        foreach (var kind in Enum.GetValues<FailureKind>())
        {
            Assert.AreNotEqual(Verdict.OutcomeInDoubt, VerdictTable.Decide(Of(kind, ServerAnswer.Complete), AttemptPhase.Committing));
        }
    }

    [TestMethod]
    public void what_is_neither_permanent_nor_cancelled_nor_unknown_is_retriable()
    {
        foreach (var kind in Enum.GetValues<FailureKind>())
        {
            Assert.AreEqual(
                kind is not (FailureKind.Permanent or FailureKind.Cancelled or FailureKind.OutcomeUnknown), Of(kind, ServerAnswer.Missing).IsRetriable);
        }
    }

    private static Failure Of(FailureKind kind, ServerAnswer answer) => new(kind, "a reason", null, new InvalidOperationException(), answer);
}
