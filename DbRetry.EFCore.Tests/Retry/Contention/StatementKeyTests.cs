using DbRetry.EFCore.Retry.Contention;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry.Contention;

[TestClass]
public sealed class StatementKeyTests
{
    private const string Text = "select n from counters where id = @id";

    [TestMethod]
    [DataRow(Text, 17, true)]
    [DataRow(Text, 18, false)]
    [DataRow("select name from counters where id = @id", 17, false)]
    public void Statements_are_alike_by_text_and_parameters(string text, int id, bool alike)
    {
        using var one = new NpgsqlCommand(Text) { Parameters = { new NpgsqlParameter<int>("id", 17) } };
        using var other = new NpgsqlCommand(text) { Parameters = { new NpgsqlParameter("id", id) } };
        Assert.AreEqual(alike, StatementKey.Of(one) == StatementKey.Of(other));
    }

    [TestMethod]
    public void The_key_is_the_same_in_every_process()
    {
        using var command = new NpgsqlCommand(Text) { Parameters = { new("id", 17) } };
        Assert.AreEqual(35290875, StatementKey.Of(command));
    }

    [TestMethod]
    public void Nothing_is_a_value_too()
    {
        using var one = new NpgsqlCommand(Text) { Parameters = { new("id", DBNull.Value) } };
        using var other = new NpgsqlCommand(Text) { Parameters = { new("id", DBNull.Value) } };
        Assert.AreEqual(StatementKey.Of(one), StatementKey.Of(other));
    }
}
