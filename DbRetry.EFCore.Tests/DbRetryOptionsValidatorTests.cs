namespace DbRetry.EFCore.Tests;

[TestClass]
public class DbRetryOptionsValidatorTests
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    private static IEnumerable<object[]> Mistakes()
    {
        yield return Mistake(nameof(DbRetryOptions.MaxRetryCount), "-1", "between 0 and 1000000", options => options.MaxRetryCount = -1);
        yield return Mistake(nameof(DbRetryOptions.MaxRetryCount), "1000001", "between 0 and 1000000", options => options.MaxRetryCount = 1_000_001);
        yield return Mistake(nameof(DbRetryOptions.RetryBudget), "-1", "between 0 and 2147483647", options => options.RetryBudget = -1);
        yield return Mistake(nameof(DbRetryOptions.HostTimeout), "00:17:05", "and 00:17:04", options => options.HostTimeout = TimeSpan.FromSeconds(1025));
        yield return Mistake(nameof(DbRetryOptions.ReadAheadRows), "0", "between 1 and 1000000", options => options.ReadAheadRows = 0);
        yield return Mistake(nameof(DbRetryOptions.Buffering), "99", "no ResultBuffering", options => options.Buffering = (ResultBuffering)99);
        yield return Mistake(nameof(DbRetryOptions.TargetSession), "99", "no TargetSession", options => options.TargetSession = (TargetSession)99);
        yield return Mistake(nameof(DbRetryOptions.MaxConflictDelay), "00:00:00.0010000", "at least ConflictDelay", options => options.MaxConflictDelay = TimeSpan.FromMilliseconds(1));
        yield return Mistake(nameof(DbRetryOptions.MaxReconnectDelay), "00:00:00.0010000", "at least ReconnectDelay", options => options.MaxReconnectDelay = TimeSpan.FromMilliseconds(1));
        foreach (var (name, set) in new (string, Action<DbRetryOptions, TimeSpan>)[]
        {
            (nameof(DbRetryOptions.FailoverTimeout), (options, value) => options.FailoverTimeout = value),
            (nameof(DbRetryOptions.HostTimeout), (options, value) => options.HostTimeout = value),
            (nameof(DbRetryOptions.ConflictDelay), (options, value) => options.ConflictDelay = value),
            (nameof(DbRetryOptions.MaxConflictDelay), (options, value) => options.MaxConflictDelay = value),
            (nameof(DbRetryOptions.ReconnectDelay), (options, value) => options.ReconnectDelay = value),
            (nameof(DbRetryOptions.MaxReconnectDelay), (options, value) => options.MaxReconnectDelay = value),
        })
        {
            foreach (var value in new[] { TimeSpan.Zero, Timeout.InfiniteTimeSpan, TimeSpan.MaxValue })
            {
                yield return Mistake(name, value.ToString(), "must be between 00:00:00.0000001 and ", options => set(options, value));
            }
        }
    }

    [TestMethod]
    [DynamicData(nameof(Mistakes))]
    public void a_mistake_is_named_with_its_value_and_the_allowed_range(string name, string value, string range, object change)
    {
        var options = new DbRetryOptions { MaxRetryCount = 3 };
        ((Action<DbRetryOptions>)change)(options);
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => DbRetryOptionsValidator.Validate(options));
        Assert.AreEqual(name, error.ParamName);
        StringAssert.StartsWith(error.Message, $"{name} is {value}");
        StringAssert.Contains(error.Message, range);
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("4000")]
    [DataRow("400011")]
    [DataRow("40p01")]
    [DataRow("40 01")]
    [DataRow("4000é")]
    [DataRow(null)]
    public void a_sqlstate_is_five_digits_or_capitals(string? state)
    {
        var options = new DbRetryOptions { MaxRetryCount = 3 };
        options.RetriableSqlStates.Add(state!);
        var error = Assert.ThrowsExactly<ArgumentException>(() => DbRetryOptionsValidator.Validate(options));
        Assert.AreEqual(nameof(DbRetryOptions.RetriableSqlStates), error.ParamName);
        StringAssert.Contains(error.Message, $"'{state}'");
    }

    [TestMethod]
    public void the_defaults_and_the_limits_are_fine()
    {
        DbRetryOptionsValidator.Validate(new DbRetryOptions());
        DbRetryOptionsValidator.Validate(new DbRetryOptions
        {
            MaxRetryCount = 1_000_000,
            FailoverTimeout = Day,
            HostTimeout = TimeSpan.FromSeconds(1024),
            TargetSession = TargetSession.PreferStandby,
            ConflictDelay = Day,
            MaxConflictDelay = Day,
            ReconnectDelay = TimeSpan.FromTicks(1),
            MaxReconnectDelay = TimeSpan.FromTicks(1),
            RetryBudget = int.MaxValue,
            RetriableSqlStates = { "55P03", "ZZ999" },
        });
        DbRetryOptionsValidator.Validate(new DbRetryOptions { MaxRetryCount = 0, RetryBudget = 0 });
    }

    private static object[] Mistake(string name, string value, string range, Action<DbRetryOptions> change) => [name, value, range, change];
}
