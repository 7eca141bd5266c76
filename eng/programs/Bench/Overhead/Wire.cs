using DbRetry.EFCore.Tests.Support.Faults;

namespace DbRetry.Bench.Overhead;

/// <summary>Counts what an operation sends and receives.</summary>
internal static class Wire
{
    // What is done once is done by the first runs. A disturbance can only add to the others (a cancelled wait, a new connection): the least of them counts.
    private const int Runs = 4;

    /// <param name="proxy">What the subject's connections go through.</param>
    /// <param name="run">The operation.</param>
    public static async Task<(int RoundTrips, int Messages)> CountAsync(FaultProxy proxy, Func<Task> run)
    {
        await run();
        await run();
        var least = (RoundTrips: int.MaxValue, Messages: int.MaxValue);
        for (var i = 0; i < Runs; i++)
        {
            proxy.Arm();
            await run();
            var messages = proxy.Messages;
            least = (Math.Min(least.RoundTrips, RoundTrips.Count(messages)), Math.Min(least.Messages, messages.Count));
        }
        return least;
    }
}
