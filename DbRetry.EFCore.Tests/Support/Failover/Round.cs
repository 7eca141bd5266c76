using DbRetry.EFCore.Tests.Support.Cluster;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>Callers at work while a story is played once, and the reckoning.</summary>
/// <param name="bed">Where it is played.</param>
/// <param name="build">
/// Makes the options of one side of the comparison; the flag is whether they are for reading on standbys, and the last one knows where the primary is.
/// </param>
/// <param name="writers">How many callers write.</param>
/// <param name="readers">How many callers read on standbys.</param>
internal sealed class Round(IFailoverBed bed, Func<string, bool, PrimaryWord, DbContextOptions<ProofContext>> build, int writers, int readers)
{
    private const int WarmUpCalls = 20;
    private static readonly TimeSpan WarmUpLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan QuietLimit = TimeSpan.FromSeconds(30);

    /// <summary>How long everybody is waited for after the cluster takes writes again.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromSeconds(40);

    public async Task<RoundResult> RunAsync(CancellationToken cancellationToken)
    {
        var id = Guid.NewGuid();

        // The name gives each round pools of its own, and tells its sessions.
        var application = $"failover-{id:N}";
        var connectionString = $"{bed.ConnectionString};Application Name={application}";
        var primary = new PrimaryWord(await PortAsync(cancellationToken));
        var (writing, reading) = (build(connectionString, false, primary), build(connectionString, true, primary));
        var outages = new List<Outage>();
        using var load = new Load(
            Enumerable.Range(0, writers + readers).Select(number => new Caller(number, number >= writers, id, number >= writers ? reading : writing)));
        try
        {
            if (!await load.ReachAsync(WarmUpCalls, WarmUpLimit, cancellationToken))
            {
                throw new TimeoutException($"Not everybody was served {WarmUpCalls} times before anything was broken: {FirstError(load)}");
            }
            await foreach (var outage in bed.PlayAsync(cancellationToken))
            {
                primary.Tell(outage.Port);
                outages.Add(outage);
                await load.BackAsync(outage, Limit, cancellationToken);
            }
        }
        finally
        {
            await load.StopAsync(() => bed.ReleaseAsync(cancellationToken), cancellationToken);
        }
        return new([.. load.Calls], outages, await ReadAsync(application, id, cancellationToken));
    }

    private static string FirstError(Load load)
        => load.Calls.Select(call => call.Error).FirstOrDefault(error => error is not null)?.ToString() ?? "nobody saw an error";

    private async Task<int> PortAsync(CancellationToken cancellationToken)
    {
        await using var primary = await bed.OpenPrimaryAsync(cancellationToken);
        return primary.Port;
    }

    // Asked of the primary itself, without EF Core and without anybody's retries.
    private async Task<Dictionary<Guid, long>> ReadAsync(string application, Guid round, CancellationToken cancellationToken)
    {
        await using var primary = await bed.OpenPrimaryAsync(cancellationToken);
        await Poll.UntilAsync(
            // A call that was cut off may still be committing.
            async () => await primary.ScalarAsync(
                $"select not exists (select from pg_stat_activity where application_name = '{application}' and state <> 'idle')", cancellationToken) is true,
            QuietLimit,
            () => "sessions of the callers are still at work on the primary",
            cancellationToken);
        await using var command = new NpgsqlCommand($"select call, count(*) from marks where round = '{round}' group by call", primary);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var rows = new Dictionary<Guid, long>();
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(reader.GetGuid(0), reader.GetInt64(1));
        }
        return rows;
    }
}
