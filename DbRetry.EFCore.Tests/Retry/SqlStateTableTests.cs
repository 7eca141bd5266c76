using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class SqlStateTableTests
{
    /// <summary>The classes of appendix A, PostgreSQL 18.</summary>
    private static readonly string[] AppendixA =
    [
        "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22", "23", "24", "25", "26", "27", "28", "2B", "2D",
        "2F", "34", "38", "39", "3B", "3D", "3F", "40", "42", "44", "53", "54", "55", "57", "58", "72", "F0", "HV", "P0", "XX",
    ];

    [TestMethod]
    public void every_class_of_appendix_A_has_a_row()
        => CollectionAssert.AreEquivalent(AppendixA, SqlStateTable.KnownClasses.ToArray());

    [TestMethod]
    [DataRow("40001", nameof(FailureKind.Conflict))]
    [DataRow("40P01", nameof(FailureKind.Conflict))]
    [DataRow("72000", nameof(FailureKind.Conflict))]
    [DataRow("57P01", nameof(FailureKind.LostConnection))]
    [DataRow("57P02", nameof(FailureKind.LostConnection))]
    [DataRow("57P05", nameof(FailureKind.LostConnection))]
    [DataRow("25P03", nameof(FailureKind.LostConnection))]
    [DataRow("08000", nameof(FailureKind.LostConnection))]
    [DataRow("08003", nameof(FailureKind.LostConnection))]
    [DataRow("08006", nameof(FailureKind.LostConnection))]
    [DataRow("08P01", nameof(FailureKind.LostConnection))]
    [DataRow("08001", nameof(FailureKind.HostUnavailable))]
    [DataRow("08004", nameof(FailureKind.HostUnavailable))]
    [DataRow("57P03", nameof(FailureKind.HostUnavailable))]
    [DataRow("53300", nameof(FailureKind.HostUnavailable))]
    [DataRow("25006", nameof(FailureKind.ReadOnlyHost))]
    [DataRow("40003", nameof(FailureKind.OutcomeUnknown))]
    [DataRow("08007", nameof(FailureKind.OutcomeUnknown))]
    public void codes_that_are_not_permanent(string sqlState, string kind)
        => Assert.AreEqual(kind, SqlStateTable.Find(sqlState).Kind.ToString());

    [TestMethod]
    [DataRow("40000")]
    [DataRow("40002")]
    [DataRow("22P02")]
    [DataRow("23505")]
    [DataRow("25001")]
    [DataRow("25P02")]
    [DataRow("26000")]
    [DataRow("28000")]
    [DataRow("28P01")]
    [DataRow("3D000")]
    [DataRow("0A000")]
    [DataRow("42501")]
    [DataRow("42601")]
    [DataRow("42P04")]
    [DataRow("53000")]
    [DataRow("53100")]
    [DataRow("53200")]
    [DataRow("53400")]
    [DataRow("55000")]
    [DataRow("55006")]
    [DataRow("55P03")]
    [DataRow("57014")]
    [DataRow("57P04")]
    [DataRow("58000")]
    [DataRow("58030")]
    [DataRow("F0000")]
    [DataRow("HV00N")]
    [DataRow("P0001")]
    [DataRow("XX000")]
    [DataRow("XX001")]
    [DataRow("08999")]
    [DataRow("57999")]
    [DataRow("ZZ999")]
    [DataRow("40001 ")]
    [DataRow("40")]
    [DataRow("")]
    public void everything_else_is_permanent(string sqlState)
        => Assert.AreEqual(FailureKind.Permanent, SqlStateTable.Find(sqlState).Kind);

    [TestMethod]
    public void every_class_gives_its_own_reason()
    {
        var reasons = AppendixA.Select(@class => SqlStateTable.Find(@class + "zzz").Reason).ToList();
        Assert.HasCount(AppendixA.Length, reasons.Distinct());
        Assert.IsFalse(reasons.Exists(string.IsNullOrWhiteSpace));
    }

    [TestMethod]
    public void an_unknown_code_counts_as_its_class()
        => Assert.AreEqual(SqlStateTable.Find("23000").Reason, SqlStateTable.Find("23ZZZ").Reason);
}
