using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace DbRetry.Demo.Shop;

/// <summary>The one place where the two modes differ.</summary>
internal static class ShopOptions
{
    public const string ApplicationName = "shop";

    /// <summary>The mode as one would write it in code.</summary>
    public static string Name(RetryMode mode) => mode switch
    {
        RetryMode.Stock => "EnableRetryOnFailure()",
        _ => "UseDbRetry()",
    };

    /// <param name="mode">Who retries.</param>
    /// <param name="connectionString">Names all hosts of the cluster.</param>
    /// <param name="onRetry">Is told the exception before each retry.</param>
    public static DbContextOptions<ShopContext> Build(RetryMode mode, string connectionString, Action<Exception> onRetry)
    {
        var named = $"{connectionString};Application Name={ApplicationName}";
        var builder = new DbContextOptionsBuilder<ShopContext>();
        _ = mode switch
        {
            RetryMode.Stock => builder.UseNpgsql($"{named};Target Session Attributes=read-write", npgsql => npgsql.EnableRetryOnFailure()),
            _ => builder.UseNpgsql(named).UseDbRetry(),
        };

        // EF tells both modes' retries and connections by the same events.
        return builder
            .LogTo((id, _) => id == CoreEventId.ExecutionStrategyRetrying || id == RelationalEventId.ConnectionOpened, Note)
            .Options;

        void Note(EventData data)
        {
            switch (data)
            {
                case ExecutionStrategyEventData retry:
                    onRetry(retry.ExceptionsEncountered[^1]);
                    break;
                case ConnectionEndEventData { Context: ShopContext context, Connection: NpgsqlConnection connection }:
                    context.ServedBy = $"{connection.Host}:{connection.Port}";
                    break;
            }
        }
    }
}
