using DbRetry.EFCore.Commits;
using Npgsql;

namespace DbRetry.EFCore.Tests.Commits;

[TestClass]
public sealed class KnownServersTests
{
    private static readonly DateTime Started = new(2026, 1, 2, 3, 4, 5, 678, 901, DateTimeKind.Utc);

    [TestMethod]
    public void A_server_is_known_by_what_every_start_and_recovery_changes()
    {
        using var connection = new NpgsqlConnection();
        var server = new ServerIncarnation(4711, 3, 100, Started, Started.AddHours(-1));
        KnownServers.Note(connection, server);

        Assert.AreEqual(server, KnownServers.Find(new(100, Started, Started.AddHours(-1))));
        Assert.IsNull(KnownServers.Find(new(101, Started, Started.AddHours(-1))), "a crash or a promotion");
        Assert.IsNull(KnownServers.Find(new(null, Started, Started.AddHours(-1))));
        Assert.IsNull(KnownServers.Find(new(100, Started.AddMicroseconds(1), Started.AddHours(-1))), "a restart");
        Assert.IsNull(KnownServers.Find(new(100, Started, Started)), "a recovery that replayed nothing new");
        Assert.IsNull(KnownServers.Find(new(100, Started, null)));
    }

    [TestMethod]
    public void A_connection_without_a_server_has_told_nothing()
    {
        using var connection = new NpgsqlConnection();
        KnownServers.Note(connection, new(4712, 1, null, Started, null));

        Assert.IsFalse(KnownServers.HasTold(connection));
    }
}
