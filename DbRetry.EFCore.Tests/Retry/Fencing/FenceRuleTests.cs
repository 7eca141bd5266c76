using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Retry.Fencing;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry.Fencing;

[TestClass]
public sealed class FenceRuleTests
{
    private static readonly NpgsqlConnection Own = new();

    private static readonly ServerSession Session = new(Own, "db1", 5432, 7, 100);

    [TestMethod]
    [DataRow("Missing", true)]
    [DataRow("SessionEnded", false)]
    [DataRow("Complete", false)]
    public void Only_a_session_that_the_server_did_not_end_itself_is_left_behind(string answer, bool left)
    {
        Assert.AreEqual(left ? Session : null, FenceRule.LeftBehind(Session, Enum.Parse<ServerAnswer>(answer)));
        Assert.IsNull(FenceRule.LeftBehind(null, Enum.Parse<ServerAnswer>(answer)));
    }

    [TestMethod]
    [DataRow("db1", 5432, 8, true, true)]
    [DataRow("db1", 5432, 7, true, false, DisplayName = "its number has been given to us")]
    [DataRow("db2", 5432, 8, true, false, DisplayName = "another host")]
    [DataRow("db1", 5433, 8, true, false, DisplayName = "another port")]
    [DataRow(null, 5432, 8, true, false, DisplayName = "nowhere")]
    [DataRow("db1", 5432, 8, false, false, DisplayName = "another connection, such as one for administration")]
    public void It_is_ended_only_through_the_session_that_takes_its_place(string? host, int port, int processId, bool own, bool ends)
    {
        using var other = new NpgsqlConnection();

        Assert.AreEqual(ends, FenceRule.CanEnd(Session, new(own ? Own : other, host, port, processId, 100)));
    }
}
