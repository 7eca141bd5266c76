using System.Data;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.Bench.Contention;

/// <summary>What each writer does with the rows, and what it loses by.</summary>
internal enum HotUnit
{
    /// <summary>Reads a row and writes it back, SERIALIZABLE: 40001.</summary>
    Increment,

    /// <summary>Changes two rows, in either order: 40P01. The server looks for deadlocks after 10 ms instead of a second.</summary>
    Transfer,

    /// <summary>Changes a row, and waits for it no longer than 5 ms: 55P03, declared to be retried.</summary>
    Impatient,
}

internal static class HotUnits
{
    public static string Name(this HotUnit unit)
        => unit switch
        {
            HotUnit.Transfer => "deadlocks, ",
            HotUnit.Impatient => "lock timeouts, ",
            _ => "",
        };

    public static string Settings(this HotUnit unit, string connectionString)
        => new NpgsqlConnectionStringBuilder(connectionString)
        {
            Options = unit switch
            {
                HotUnit.Transfer => "-c deadlock_timeout=10ms",
                HotUnit.Impatient => "-c lock_timeout=5ms",
                _ => null,
            },
        }.ConnectionString;

    public static async Task RunAsync(this HotUnit unit, CounterContext context, int id, int other)
    {
        context.ChangeTracker.Clear();
        await using var transaction = await context.Database
            .BeginTransactionAsync(unit is HotUnit.Increment ? IsolationLevel.Serializable : IsolationLevel.ReadCommitted);
        if (unit is HotUnit.Increment)
        {
            var counter = await context.Counters.SingleAsync(counter => counter.Id == id);
            counter.N++;
            await context.SaveChangesAsync();
        }
        else
        {
            await AddAsync(context, id);
            await AddAsync(context, unit is HotUnit.Transfer ? other : id);
        }

        await transaction.CommitAsync();
    }

    private static Task<int> AddAsync(CounterContext context, int id)
        => context.Counters.Where(counter => counter.Id == id)
            .ExecuteUpdateAsync(static set => set.SetProperty(static counter => counter.N, static counter => counter.N + 1));
}
