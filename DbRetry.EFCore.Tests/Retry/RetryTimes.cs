using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace DbRetry.EFCore.Tests.Retry;

/// <summary>What lets a test decide how long retries wait, and real errors of a real server.</summary>
internal static class RetryTimes
{
    /// <summary>Internal services for EF that wait by this clock, and half of each longest wait.</summary>
    public static ServiceProvider Services(this ManualTime time)
        => new ServiceCollection()
            .AddSingleton<TimeProvider>(time)
            .AddSingleton<Random>(new FixedRandom(0.5))
            .AddEntityFrameworkNpgsql()
            .AddEntityFrameworkDbRetry()
            .BuildServiceProvider();

    /// <summary>The server raises the SQLSTATE.</summary>
    public static Task<int> FailAsync(this DbContext context, bool async, string sqlState) => context.SqlAsync(async, Raise(sqlState));

    public static string Raise(string sqlState) => $"do $$ begin raise exception 'as told' using errcode = '{sqlState}'; end $$";
}
