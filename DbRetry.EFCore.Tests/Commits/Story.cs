using System.Data;
using DbRetry.EFCore.Tests.Support.Faults;
using FsCheck;
using FsCheck.Fluent;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>What a step of a story does to the database, and to its model.</summary>
internal enum Deed
{
    Increment,
    IncrementBySql,
    IncrementTracked,
    AddOne,
    AddSeveral,
    DeleteFirst,
    Look,
}

/// <summary>What a step of a story runs in.</summary>
internal enum Frame
{
    /// <summary>Nothing: EF's own transaction, or none.</summary>
    Bare,

    /// <summary>One unit that begins and commits a transaction.</summary>
    Unit,

    /// <summary>EF's ExecuteInTransaction, with a check that knows nothing.</summary>
    ExecuteInTransaction,
}

/// <summary>One step: deeds that are done together, or one after the other when nothing frames them.</summary>
internal sealed record Step(Frame Frame, IsolationLevel Level, bool Async, Deed[] Deeds)
{
    public override string ToString() => $"{(Async ? "async" : "sync")} {Frame} {Level} [{string.Join(", ", Deeds)}]";
}

/// <summary>A connection dies at a message, counted over the whole story, or at the next one at which it can.</summary>
internal sealed record Blow(int Message, FaultMoment Moment, bool Reset)
{
    public FaultPoint Point => new(
        message => message.Number >= Message && (Moment is not FaultMoment.AfterProcessed || message.Sender is Sender.Frontend),
        Moment,
        Reset ? FaultAction.Reset : FaultAction.Cut);

    public override string ToString() => $"{(Reset ? "reset" : "cut")} {Moment} {Message}";
}

/// <summary>Steps that one application takes, and what happens to its connections meanwhile.</summary>
internal sealed record Story(Step[] Steps, Blow[] Blows, bool OneContext)
{
    // More than the longest story takes: some blows miss.
    private const int Messages = 150;

    public static Arbitrary<Story> Arbitrary { get; } = Arb.From(AnyStory, Shorter);

    private static Gen<Story> AnyStory
        => from steps in Gen.NonEmptyListOf(AnyStep).Resize(4)
           from blows in Gen.NonEmptyListOf(AnyBlow).Resize(3)
           from oneContext in Gen.Elements(false, true)
           select new Story([.. steps], [.. blows], oneContext);

    private static Gen<Step> AnyStep
        => from frame in Gen.Elements(Enum.GetValues<Frame>())
           from level in Gen.Elements(IsolationLevel.ReadCommitted, IsolationLevel.RepeatableRead, IsolationLevel.Serializable)
           from async in Gen.Elements(false, true)
           from deeds in Gen.NonEmptyListOf(Gen.Elements(Enum.GetValues<Deed>())).Resize(4)
           where frame is Frame.Bare || deeds.Exists(deed => deed is not Deed.Look) // Of a COMMIT without a write nothing is noted: see the README's limits.
           select new Step(frame, level, async, [.. deeds]);

    private static Gen<Blow> AnyBlow
        => from message in Gen.Choose(1, Messages)
           from moment in Gen.Elements(Enum.GetValues<FaultMoment>())
           from reset in Gen.Elements(false, true)
           select new Blow(message, moment, reset);

    public override string ToString()
        => $"{string.Join("; ", Steps.AsEnumerable())} | {string.Join("; ", Blows.AsEnumerable())} | {(OneContext ? "one context" : "a context each")}";

    // Fewer blows, then fewer steps, then fewer deeds: what is left of a failing story tells what matters.
    private static IEnumerable<Story> Shorter(Story story)
        => [
            .. Without(story.Blows).Select(blows => story with { Blows = blows }),
            .. Without(story.Steps).Where(steps => steps.Length > 0).Select(steps => story with { Steps = steps }),
            .. story.Steps.SelectMany((step, index) => Without(step.Deeds).Where(deeds => deeds.Any(deed => deed is not Deed.Look))
                .Select(deeds => story with { Steps = [.. story.Steps[..index], step with { Deeds = deeds }, .. story.Steps[(index + 1)..]] })),
        ];

    private static IEnumerable<T[]> Without<T>(T[] all) => all.Select((_, left) => all.Where((_, index) => index != left).ToArray());
}
