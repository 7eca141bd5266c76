namespace DbRetry.EFCore.Tests.Hosts;

[TestClass]
public class NoSuitableHostExceptionTests
{
    private static readonly Exception Refused = new IOException("refused");

    [TestMethod]
    public void it_names_every_host_and_why()
    {
        var error = new NoSuitableHostException(TargetSession.Primary, [new("a:5432", "is a standby", null), new("b:5432", "refused", Refused)]);
        Assert.AreEqual("No host can serve a session of the kind Primary: a:5432 (is a standby); b:5432 (refused).", error.Message);
        Assert.AreEqual(TargetSession.Primary, error.Target);
        Assert.HasCount(2, error.Hosts);
        Assert.IsTrue(error.IsTransient);
    }

    [TestMethod]
    public void a_single_error_is_its_inner_exception()
        => Assert.AreSame(Refused, new NoSuitableHostException(TargetSession.Any, [new("a", "x", null), new("b", "y", Refused)]).InnerException);

    [TestMethod]
    public void several_errors_are_gathered()
    {
        var inner = new NoSuitableHostException(TargetSession.Any, [new("a", "x", Refused), new("b", "y", new TimeoutException())]).InnerException;
        Assert.HasCount(2, Assert.IsInstanceOfType<AggregateException>(inner).InnerExceptions);
    }

    [TestMethod]
    public void without_errors_there_is_no_inner_exception()
        => Assert.IsNull(new NoSuitableHostException(TargetSession.Any, [new("a", "x", null)]).InnerException);

    [TestMethod]
    public void without_hosts_it_says_so()
        => Assert.AreEqual("No host is known that could serve a session of the kind Standby.", new NoSuitableHostException(TargetSession.Standby, []).Message);

    [TestMethod]
    public void later_changes_of_the_list_do_not_show()
    {
        var hosts = new List<HostFailure> { new("a", "x", null) };
        var error = new NoSuitableHostException(TargetSession.Any, hosts);
        hosts.Clear();
        Assert.HasCount(1, error.Hosts);
    }

    [TestMethod]
    public void a_missing_list_is_refused()
        => Assert.ThrowsExactly<ArgumentNullException>(() => new NoSuitableHostException(TargetSession.Any, null!));
}
