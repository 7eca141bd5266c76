using DbRetry.EFCore.Tests.Retry;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.EFCore.Tests;

/// <summary>Not beside other tests: the environment belongs to the whole process.</summary>
[TestClass]
[DoNotParallelize]
public class EnvironmentVariablesTests
{
    private const string Newer = "DB_RETRY_RETRIES_NUMBER";
    private const string Older = "DB_UTILS_RETRIES_NUMBER";

    private readonly Dictionary<string, string?> _before = new[] { Newer, Older }.ToDictionary(name => name, Environment.GetEnvironmentVariable);

    public required TestContext TestContext { get; set; }

    [TestCleanup]
    public void Restore()
    {
        foreach (var (name, value) in _before)
        {
            Environment.SetEnvironmentVariable(name, value);
        }
    }

    [TestMethod]
    [DataRow(null, null, null, 3)]
    [DataRow(null, "1", null, 1)]
    [DataRow("2", "1", null, 2)]
    [DataRow("2", "1", 4, 4)]
    [DataRow("2", "1", 0, 0)]
    public async Task Options_win_over_the_newer_name_that_over_the_older_and_that_over_three(string? newer, string? older, int? option, int retries)
    {
        Environment.SetEnvironmentVariable(Newer, newer);
        Environment.SetEnvironmentVariable(Older, older);
        await using var bed = await RetryBed.CreateAsync(TestContext.CancellationToken);
        await using var context = bed.Context(options => options.MaxRetryCount = option ?? options.MaxRetryCount);
        var attempts = 0;

        await Assert.ThrowsAsync<Exception>(() => context.Database.CreateExecutionStrategy().RunAsync(async: true, async () =>
        {
            attempts++;
            await context.FailAsync(async: true, "40001");
        }));

        Assert.AreEqual(retries + 1, attempts);
    }

    [TestMethod]
    public void A_policy_reads_them_too()
    {
        Environment.SetEnvironmentVariable(Newer, "1");
        var attempts = 0;

        Assert.Throws<RetryLimitExceededException>(() => DbRetryPolicy.Execute(() =>
        {
            attempts++;
            throw RetryUnitTests.Exceptions("conflict");
        }));

        Assert.AreEqual(2, attempts);
    }

    [TestMethod]
    public void A_value_that_is_no_number_fails_where_it_is_read()
    {
        Environment.SetEnvironmentVariable(Newer, "many");

        var error = Assert.ThrowsExactly<InvalidOperationException>(() => new DbContextOptionsBuilder().UseDbRetry());
        Assert.Contains(Newer, error.Message);
        _ = new DbContextOptionsBuilder().UseDbRetry(options => options.MaxRetryCount = 1);
        Assert.AreEqual(5, DbRetryPolicy.Execute(() => 5, maxRetryCount: 1));
    }
}
