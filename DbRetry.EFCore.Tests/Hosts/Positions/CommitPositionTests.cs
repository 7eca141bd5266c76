namespace DbRetry.EFCore.Tests.Hosts.Positions;

[TestClass]
public sealed class CommitPositionTests
{
    [TestMethod]
    [DataRow(7301234567890123456L, 1, 0x15F00A0B8L, "7301234567890123456-1-15F00A0B8")]
    [DataRow(1L, int.MaxValue, 0L, "1-2147483647-0")]
    [DataRow(-1L, 3, long.MaxValue, "18446744073709551615-3-7FFFFFFFFFFFFFFF")]
    public void A_position_survives_its_text_form(long system, int timeline, long lsn, string text)
    {
        var position = new CommitPosition(system, timeline, lsn);
        Assert.AreEqual(text, position.ToString());
        Assert.AreEqual(position, CommitPosition.Parse(text));
        Assert.IsTrue(CommitPosition.TryParse(text, out var parsed));
        Assert.AreEqual(position, parsed);
        Assert.AreEqual(text, Uri.EscapeDataString(text), "It needs no escaping anywhere.");
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("1-1")]
    [DataRow("1-1-1-1")]
    [DataRow("1-0-1", DisplayName = "there is no timeline 0")]
    [DataRow("1--1-1")]
    [DataRow("-1-1-1")]
    [DataRow("1-1-G")]
    [DataRow("1-1-FFFFFFFFFFFFFFFF")]
    [DataRow("1-4294967296-1")]
    [DataRow(" 1-1-1")]
    [DataRow("1-+1-1")]
    public void Anything_else_is_no_position(string text)
    {
        Assert.IsFalse(CommitPosition.TryParse(text, out var position));
        Assert.AreEqual(default, position);
        Assert.ThrowsExactly<FormatException>(() => CommitPosition.Parse(text));
    }

    [TestMethod]
    public void Nothing_is_no_position()
    {
        Assert.IsFalse(CommitPosition.TryParse(null, out _));
        Assert.ThrowsExactly<ArgumentNullException>(() => CommitPosition.Parse(null!));
    }

    [TestMethod]
    [DataRow(1, 10L, 1, 20L)]
    [DataRow(1, 20L, 2, 10L, DisplayName = "a later timeline goes on where the earlier one was left")]
    [DataRow(2, 10L, 2, 10L)]
    public void Of_two_positions_the_later_one_shows_what_both_show(int timeline, long lsn, int laterTimeline, long laterLsn)
    {
        var (one, later) = (new CommitPosition(1, timeline, lsn), new CommitPosition(1, laterTimeline, laterLsn));
        Assert.AreEqual(later, CommitPosition.Later(one, later));
        Assert.AreEqual(later, CommitPosition.Later(later, one));
    }
}
