namespace DbRetry.EFCore.Tests.Hosts.Simulation;

/// <summary>Alone: the memory that it measures is the process's.</summary>
[TestClass]
[DoNotParallelize]
public sealed class FailoverSimulationTests
{
    public required TestContext TestContext { get; set; }

    /// <remarks>A failure names its seed: put it here to see it again.</remarks>
    [TestMethod]
    [DataRow(20261125, true, 10_000)]
    [DataRow(20261126, false, 10_000)]
    public void Over_thousands_of_failovers_everyone_is_served_in_time_by_a_host_that_fits_and_nothing_is_left(int seed, bool probed, int failovers)
    {
        var simulation = new FailoverSimulation(seed, probed);
        for (var i = 0; i < failovers / 10; i++)
        {
            simulation.Round();
        }

        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = failovers / 10; i < failovers; i++)
        {
            simulation.Round();
        }

        var grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        TestContext.WriteLine(
            $"{failovers} failovers, {simulation.Tries} tries, {simulation.Probes} probes; longest delay {simulation.LongestDelay.TotalSeconds:0.000} s, "
            + $"memory {grown:+#,0;-#,0;0} bytes");
        Assert.IsGreaterThan(failovers, simulation.Tries);
        Assert.AreEqual(probed, simulation.Probes > failovers);
        Assert.IsLessThan(1 << 20, grown, $"It grows with every failover (seed {seed}).");
    }
}
