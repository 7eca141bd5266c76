using DbRetry.EFCore.Hosts.Positions;

namespace DbRetry.EFCore.Tests.Hosts.Positions;

[TestClass]
public sealed class ReplayStateTests
{
    private const long System = 7;

    private static readonly CommitPosition Position = new(System, 3, 0x100000020);

    [TestMethod]
    [DataRow(false, 3, 0x100000020, null)]
    [DataRow(false, 3, 0x200000000, null)]
    [DataRow(false, 3, 0x10000001F, "it has replayed up to 1/1F, and is to be read after 1/20")]
    [DataRow(false, 3, null, "it has replayed nothing, and is to be read after 1/20")]
    [DataRow(false, 4, 0x100000020, null)]
    [DataRow(false, 4, 0x10000001F, "it has replayed up to 1/1F, and is to be read after 1/20", DisplayName = "the position's future, not yet there")]
    [DataRow(false, 2, 0x200000000, "it does not show that it follows timeline 3, of which the position to read after is", DisplayName = "beyond the fork")]
    [DataRow(false, null, 0x200000000, "it does not show that it follows timeline 3, of which the position to read after is")]
    [DataRow(true, 3, null, null)]
    [DataRow(true, 4, 0x1L, null, DisplayName = "a primary has what there is")]
    [DataRow(true, 2, null, "it is a primary of timeline 2, and the position to read after is of timeline 3", DisplayName = "a primary of the past")]
    public void A_host_is_read_from_if_it_shows_the_position(bool primary, int? timeline, long? replayed, string? whyNot)
        => Assert.AreEqual(whyNot, new ReplayState(System, primary, timeline, replayed).WhyNot(Position));

    [TestMethod]
    public void A_position_of_another_cluster_is_for_the_primary_to_answer()
    {
        Assert.IsNull(new ReplayState(8, true, 1, null).WhyNot(Position));
        Assert.AreEqual("the position to read after is of another cluster", new ReplayState(8, false, 3, long.MaxValue).WhyNot(Position));
    }

    [TestMethod]
    [DataRow(0x2000L, 8192, 0x2000L)]
    [DataRow(0x2018L, 8192, 0x2000L, DisplayName = "behind the header of a page")]
    [DataRow(0x1000028L, 8192, 0x1000000L, DisplayName = "behind the header of a segment")]
    [DataRow(0x2020L, 8192, 0x2020L)]
    [DataRow(0x2018L, 16384, 0x2018L, DisplayName = "in the middle of a larger page")]
    public void The_next_record_begins_behind_the_header_of_its_page_and_the_last_one_ended_before_it(long insert, int block, long end)
        => Assert.AreEqual(end, PositionQueries.RecordEnd(insert, block));
}
