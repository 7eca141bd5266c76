using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class RetryDelaysTests
{
    private static readonly RetrySettings Settings = RetrySettings.From(new DbRetryOptions
    {
        MaxRetryCount = 1,
        ConflictDelay = TimeSpan.FromSeconds(1),
        MaxConflictDelay = TimeSpan.FromSeconds(3),
        ReconnectDelay = TimeSpan.FromSeconds(10),
        MaxReconnectDelay = TimeSpan.FromSeconds(30),
    });

    [TestMethod]
    [DataRow(nameof(FailureKind.Conflict), 1, 0.5)]
    [DataRow(nameof(FailureKind.Conflict), 9, 1.5)]
    [DataRow(nameof(FailureKind.LostConnection), 1, 5.0)]
    [DataRow(nameof(FailureKind.LostConnection), 9, 15.0)]
    [DataRow(nameof(FailureKind.HostUnavailable), 2, 10.0)]
    [DataRow(nameof(FailureKind.ReadOnlyHost), 1, 5.0)]
    [DataRow(nameof(FailureKind.Declared), 1, 5.0)]
    public void conflicts_have_delays_of_their_own(string kind, int retry, double seconds)
        => Assert.AreEqual(TimeSpan.FromSeconds(seconds), RetryDelays.Next(Settings, Enum.Parse<FailureKind>(kind), retry, 0.5));
}
