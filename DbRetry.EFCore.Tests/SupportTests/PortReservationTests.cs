using DbRetry.EFCore.Tests.Support.Cluster;

namespace DbRetry.EFCore.Tests.SupportTests;

[TestClass]
public sealed class PortReservationTests
{
    [TestMethod]
    public void A_port_is_not_given_out_twice_so_that_nothing_that_is_known_of_a_cluster_is_believed_of_the_next_one()
    {
        var ports = new HashSet<int>();
        for (var i = 0; i < 500; i++)
        {
            using var reservation = PortReservation.Take();
            Assert.IsTrue(ports.Add(reservation.Port));
        }
    }
}
