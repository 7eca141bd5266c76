namespace DbRetry.EFCore.Tests.Commits;

[TestClass]
public class CommitOutcomeUnknownExceptionTests
{
    [TestMethod]
    public void it_says_what_happened_where_and_what_to_do()
    {
        var inner = new IOException("reset");
        var error = new CommitOutcomeUnknownException("db1:5432", inner);
        Assert.AreEqual("db1:5432", error.Host);
        Assert.AreSame(inner, error.InnerException);
        StringAssert.Contains(error.Message, "db1:5432");
        StringAssert.Contains(error.Message, "could not be established whether it is committed");
        StringAssert.Contains(error.Message, "before running it again");
    }

    [TestMethod]
    public void without_a_host_it_still_reads_well()
        => StringAssert.StartsWith(new CommitOutcomeUnknownException(null, null).Message, "The connection to the database was lost");

    [TestMethod]
    public void no_other_retry_layer_may_take_it_for_transient()
        => Assert.IsFalse(new CommitOutcomeUnknownException(null, new TimeoutException()).IsTransient);
}
