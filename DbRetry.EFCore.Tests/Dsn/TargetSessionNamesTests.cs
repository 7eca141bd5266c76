using DbRetry.EFCore.Dsn;
using Npgsql;

namespace DbRetry.EFCore.Tests.Dsn;

[TestClass]
public sealed class TargetSessionNamesTests
{
    public static IEnumerable<object[]> All => Enum.GetValues<TargetSession>().Select(session => new object[] { session });

    [TestMethod]
    [DynamicData(nameof(All))]
    public void A_name_reads_back_in_any_case(TargetSession session)
    {
        Assert.IsTrue(TargetSessionNames.TryParse(TargetSessionNames.Format(session).ToUpperInvariant(), out var read));
        Assert.AreEqual(session, read);
    }

    [TestMethod]
    [DynamicData(nameof(All))]
    public void Npgsql_takes_every_name_for_its_value_of_the_same_name(TargetSession session)
    {
        var builder = new NpgsqlConnectionStringBuilder { TargetSessionAttributes = TargetSessionNames.Format(session) };
        Assert.AreEqual(TargetSessionNames.Format(session), builder.TargetSessionAttributes);
        Assert.IsTrue(Enum.TryParse<TargetSessionAttributes>(session.ToString(), out _));
    }

    [TestMethod]
    [DataRow(null)]
    [DataRow("")]
    [DataRow("ReadWrite")]
    [DataRow("master")]
    public void Other_names_are_none(string? name) => Assert.IsFalse(TargetSessionNames.TryParse(name, out _));

    [TestMethod]
    public void A_number_outside_the_enum_has_no_name() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => TargetSessionNames.Format((TargetSession)99));
}
