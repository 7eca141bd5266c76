using DbRetry.EFCore.Tests.Retry;
using FsCheck;
using FsCheck.Fluent;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>Whatever an application does and wherever its connections die meanwhile, the database holds what the model says, and nobody sees an error.</summary>
[TestClass]
public sealed class RandomStoriesTests
{
    private static readonly Config Config = Config.QuickThrowOnFailure.WithMaxTest(60).WithEndSize(4);

    public required TestContext TestContext { get; set; }

    [TestMethod]
    public async Task Every_step_of_a_random_story_is_applied_exactly_once()
    {
        await using var bed = await RetryBed.CreateAsync(TestContext.CancellationToken);
        var (stories, blows) = (0, 0);

        // FsCheck runs properties synchronously.
        await Task.Run(
            () => Check.One(Config, Prop.ForAll(Story.Arbitrary, story => TellAsync(story).GetAwaiter().GetResult())),
            TestContext.CancellationToken);

        TestContext.WriteLine($"{stories} stories, {blows} connections lost");
        Assert.IsGreaterThan(stories / 4, blows, "Too few blows hit to prove anything.");

        async Task TellAsync(Story story)
        {
            await bed.ClearAsync();
            var lost = await new StoryTeller(bed).TellAsync(story);
            stories++;
            blows += lost;
        }
    }
}
