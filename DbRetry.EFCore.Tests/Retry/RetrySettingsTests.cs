using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class RetrySettingsTests
{
    [TestMethod]
    public void they_carry_every_option()
    {
        Func<Exception, bool?> predicate = _ => null;
        var settings = RetrySettings.From(new DbRetryOptions
        {
            MaxRetryCount = 11,
            FailoverTimeout = TimeSpan.FromSeconds(12),
            HostTimeout = TimeSpan.FromSeconds(13),
            TargetSession = TargetSession.Standby,
            ReadYourWrites = true,
            ConflictDelay = TimeSpan.FromSeconds(14),
            MaxConflictDelay = TimeSpan.FromSeconds(15),
            ReconnectDelay = TimeSpan.FromSeconds(16),
            MaxReconnectDelay = TimeSpan.FromSeconds(17),
            RetryBudget = 18,
            Buffering = ResultBuffering.None,
            ReadAheadRows = 7,
            RetriableSqlStates = { "55P03" },
            ShouldRetry = predicate,
        });
        Assert.AreEqual(11, settings.MaxRetryCount);
        Assert.AreEqual(TimeSpan.FromSeconds(12), settings.FailoverTimeout);
        Assert.AreEqual(TimeSpan.FromSeconds(13), settings.HostTimeout);
        Assert.AreEqual(TargetSession.Standby, settings.TargetSession);
        Assert.IsTrue(settings.ReadYourWrites);
        Assert.AreEqual(TimeSpan.FromSeconds(14), settings.ConflictDelay);
        Assert.AreEqual(TimeSpan.FromSeconds(15), settings.MaxConflictDelay);
        Assert.AreEqual(TimeSpan.FromSeconds(16), settings.ReconnectDelay);
        Assert.AreEqual(TimeSpan.FromSeconds(17), settings.MaxReconnectDelay);
        Assert.AreEqual(18, settings.RetryBudget);
        Assert.AreEqual(ResultBuffering.None, settings.Buffering);
        Assert.AreEqual(7, settings.ReadAheadRows);
        Assert.AreSame(predicate, settings.Rules.ShouldRetry);
        Assert.IsTrue(settings.Rules.RetriableSqlStates.SetEquals(["55P03"]));
    }

    [TestMethod]
    public void every_option_has_its_setting()
    {
        var options = typeof(DbRetryOptions).GetProperties().Select(property => property.Name)
            .Except([nameof(DbRetryOptions.ShouldRetry), nameof(DbRetryOptions.RetriableSqlStates)])
            .Where(name => !name.StartsWith("On", StringComparison.Ordinal)).Order().ToArray();
        var settings = typeof(RetrySettings).GetProperties(System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic)
            .Select(property => property.Name).Except([nameof(RetrySettings.Rules), nameof(RetrySettings.Callbacks), "EqualityContract"]).Order().ToArray();
        CollectionAssert.AreEqual(options, settings);
    }

    [TestMethod]
    public void changing_the_options_afterwards_has_no_effect()
    {
        var options = new DbRetryOptions { MaxRetryCount = 1 };
        var settings = RetrySettings.From(options);
        options.MaxRetryCount = 2;
        options.RetriableSqlStates.Add("55P03");
        Assert.AreEqual(1, settings.MaxRetryCount);
        Assert.IsEmpty(settings.Rules.RetriableSqlStates);
    }

    [TestMethod]
    public void options_out_of_range_are_refused()
        => Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => RetrySettings.From(new DbRetryOptions { MaxRetryCount = -1 }));
}
