using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class RetriesNumberVariableTests
{
    [TestMethod]
    [DataRow(null, null, 3)]
    [DataRow("", " ", 3)]
    [DataRow(null, "7", 7)]
    [DataRow("5", null, 5)]
    [DataRow("5", "7", 5)]
    [DataRow(" ", "7", 7)]
    [DataRow(" 0 ", "7", 0)]
    [DataRow("5", "not read", 5)]
    public void the_newer_name_wins_then_the_older_then_three(string? newer, string? older, int expected)
        => Assert.AreEqual(expected, Read(newer, older));

    [TestMethod]
    [DataRow("-1", null, "DB_RETRY_RETRIES_NUMBER")]
    [DataRow("3.0", "7", "DB_RETRY_RETRIES_NUMBER")]
    [DataRow("many", null, "DB_RETRY_RETRIES_NUMBER")]
    [DataRow("99999999999", null, "DB_RETRY_RETRIES_NUMBER")]
    [DataRow("1,000", null, "DB_RETRY_RETRIES_NUMBER")]
    [DataRow(null, "+3", "DB_UTILS_RETRIES_NUMBER")]
    public void anything_else_is_an_error_that_names_the_variable_and_its_value(string? newer, string? older, string name)
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Read(newer, older));
        StringAssert.Contains(error.Message, name);
        StringAssert.Contains(error.Message, $"'{newer ?? older}'");
    }

    private static int Read(string? newer, string? older)
        => RetriesNumberVariable.Read(name => name switch
        {
            "DB_RETRY_RETRIES_NUMBER" => newer,
            "DB_UTILS_RETRIES_NUMBER" => older,
            _ => throw new InvalidOperationException(name),
        });
}
