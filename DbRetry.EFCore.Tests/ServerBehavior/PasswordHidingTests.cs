using DbRetry.EFCore.Tests.Support;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>Why the original connection string must be kept: an opened connection no longer tells it.</summary>
[TestClass]
public class PasswordHidingTests
{
    private const string Password = "not-a-real-password";

    public required TestContext TestContext { get; set; }

    [TestMethod]
    [DataRow("", false)]
    [DataRow(";Persist Security Info=true", true)]
    public async Task The_password_is_gone_from_the_connection_string_after_the_first_open(string more, bool kept)
    {
        var cluster = await SharedCluster.SingleAsync();
        await using var connection = new NpgsqlConnection($"{cluster.NodeConnectionString(0)};Password={Password};Pooling=false{more}");
        Assert.Contains(Password, connection.ConnectionString);

        await connection.OpenAsync(TestContext.CancellationToken);
        Assert.AreEqual(kept, connection.ConnectionString.Contains(Password));

        await connection.CloseAsync();
        Assert.AreEqual(kept, connection.ConnectionString.Contains(Password));
        await connection.OpenAsync(TestContext.CancellationToken); // The connection itself still knows it.
    }
}
