using DbRetry.EFCore.Configuration;
using Microsoft.Extensions.Configuration;

namespace DbRetry.EFCore.Tests.Configuration;

[TestClass]
public sealed class ConfigurationKeysTests
{
    // Code and not values.
    private static readonly string[] NotConfigured =
    [
        nameof(DbRetryOptions.ShouldRetry), nameof(DbRetryOptions.LoggerFactory),
        nameof(DbRetryOptions.OnRetry), nameof(DbRetryOptions.OnRetryAsync),
        nameof(DbRetryOptions.OnFailover), nameof(DbRetryOptions.OnFailoverAsync),
        nameof(DbRetryOptions.OnDoubtResolved), nameof(DbRetryOptions.OnDoubtResolvedAsync),
    ];

    [TestMethod]
    public void Every_option_that_is_a_value_can_be_configured()
        => CollectionAssert.AreEquivalent(
            typeof(DbRetryOptions).GetProperties().Select(property => property.Name).Except(NotConfigured).ToArray(), ConfigurationKeys.Names.ToArray());

    [TestMethod]
    public void Values_are_read_whatever_the_case_of_their_keys()
    {
        var options = Read(
            ("maxretrycount", "7"), ("FailoverTimeout", "00:00:30"), ("HostTimeout", "00:00:02"), ("TargetSession", "prefer-standby"),
            ("ConflictDelay", "00:00:00.001"), ("MaxConflictDelay", "00:00:00.002"), ("QueueConflicts", "false"), ("ReconnectDelay", "00:00:00.003"),
            ("MaxReconnectDelay", "00:00:00.004"), ("RetryBudget", "0"), ("CommitVerification", "witness"), ("WitnessTable", "audit.commits"),
            ("Buffering", "full"), ("ReadAheadRows", "9"), ("ReadYourWrites", "True"), ("AbandonSilentHosts", "false"), ("RetriableSqlStates:0", "55P03"), ("RetriableSqlStates:1", "55006"));

        Assert.AreEqual(7, options.MaxRetryCount);
        Assert.AreEqual(TimeSpan.FromSeconds(30), options.FailoverTimeout);
        Assert.AreEqual(TimeSpan.FromSeconds(2), options.HostTimeout);
        Assert.AreEqual(TargetSession.PreferStandby, options.TargetSession);
        Assert.AreEqual(TimeSpan.FromMilliseconds(1), options.ConflictDelay);
        Assert.AreEqual(TimeSpan.FromMilliseconds(2), options.MaxConflictDelay);
        Assert.IsFalse(options.QueueConflicts);
        Assert.AreEqual(TimeSpan.FromMilliseconds(3), options.ReconnectDelay);
        Assert.AreEqual(TimeSpan.FromMilliseconds(4), options.MaxReconnectDelay);
        Assert.AreEqual(0, options.RetryBudget);
        Assert.AreEqual(CommitVerification.Witness, options.CommitVerification);
        Assert.AreEqual("audit.commits", options.WitnessTable);
        Assert.AreEqual(ResultBuffering.Full, options.Buffering);
        Assert.AreEqual(9, options.ReadAheadRows);
        Assert.IsTrue(options.ReadYourWrites);
        Assert.IsFalse(options.AbandonSilentHosts);
        CollectionAssert.AreEquivalent(new[] { "55P03", "55006" }, options.RetriableSqlStates.ToArray());
    }

    [TestMethod]
    public void A_list_may_be_one_value_with_commas_as_an_environment_variable_has_it()
        => CollectionAssert.AreEquivalent(new[] { "55P03", "55006" }, Read(("RetriableSqlStates", "55P03, 55006")).RetriableSqlStates.ToArray());

    [TestMethod]
    public void A_key_without_a_value_leaves_the_default()
    {
        var options = Read(("FailoverTimeout", null), ("TargetSession", string.Empty));
        Assert.AreEqual(TimeSpan.FromSeconds(60), options.FailoverTimeout);
        Assert.IsNull(options.TargetSession);
    }

    [TestMethod]
    [DataRow("MaxRetryCount", "many", "DbRetry:MaxRetryCount is 'many'; it must be a whole number.")]
    [DataRow("MaxRetryCount", "99999999999", "DbRetry:MaxRetryCount is '99999999999'; it must be a whole number.")]
    [DataRow("FailoverTimeout", "30", "DbRetry:FailoverTimeout is '30'; it must be a time in hours, minutes and seconds")]
    [DataRow("QueueConflicts", "yes", "DbRetry:QueueConflicts is 'yes'; it must be true or false.")]
    [DataRow("TargetSession", "master", "DbRetry:TargetSession is 'master'; it must be one of Any, ReadWrite")]
    [DataRow("CommitVerification", "maybe", "DbRetry:CommitVerification is 'maybe'; it must be one of TransactionStatus")]
    [DataRow("MaxRetries", "5", "DbRetry:MaxRetries is no option of DbRetry. There are MaxRetryCount, FailoverTimeout")]
    public void A_mistake_names_its_key(string key, string value, string message)
    {
        var problems = ConfigurationKeys.Read(Section((key, value)), new DbRetryOptions());
        Assert.StartsWith(message, problems.Single());
    }

    private static DbRetryOptions Read(params (string Key, string? Value)[] values)
    {
        var options = new DbRetryOptions();
        Assert.IsEmpty(ConfigurationKeys.Read(Section(values), options));
        return options;
    }

    private static IConfigurationSection Section(params (string Key, string? Value)[] values)
        => new ConfigurationBuilder()
            .AddInMemoryCollection(values.Select(value => KeyValuePair.Create($"DbRetry:{value.Key}", value.Value)))
            .Build()
            .GetSection("DbRetry");
}
