using DbRetry.EFCore.Tests.Support.Failover;
using DbRetry.Failover.Patroni;

namespace DbRetry.Failover;

/// <summary>A scenario as the command line knows it.</summary>
/// <param name="Name">One word.</param>
/// <param name="Title">What happens.</param>
/// <param name="Readers">How many callers read on standbys, beside those who write.</param>
/// <param name="StartAsync">Starts its servers.</param>
internal sealed record ScenarioPlan(string Name, string Title, int Readers, Func<CancellationToken, Task<IFailoverBed>> StartAsync)
{
    private const int ReadersInStoriesAboutThem = 4;

    /// <summary>The title without what follows on the harm.</summary>
    public string Label => Title.Split(',')[0];

    public static ScenarioPlan Of(LocalScenario scenario) => new(
        scenario.Name,
        scenario.Title,
        scenario.Reading ? ReadersInStoriesAboutThem : 0,
        async cancellationToken => await LocalBed.StartAsync(scenario, cancellationToken));

    public static ScenarioPlan Of(PatroniScenario scenario) => new(
        scenario.Name,
        scenario.Title,
        Readers: 0,
        async cancellationToken => await PatroniBed.StartAsync(scenario, cancellationToken));
}
