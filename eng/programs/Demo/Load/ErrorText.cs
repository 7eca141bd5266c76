using Npgsql;

namespace DbRetry.Demo.Load;

/// <summary>What an exception that a caller saw was about, in a line that others of the same cause share.</summary>
internal static class ErrorText
{
    public static bool SaysUnknown(Exception exception) =>
        Chain(exception).Any(inner => inner.GetType().Name == "CommitOutcomeUnknownException");

    public static string Of(Exception exception)
    {
        var chain = Chain(exception).ToList();
        var cause = chain.OfType<NpgsqlException>().FirstOrDefault() ?? chain[^1];
        var text = cause switch
        {
            PostgresException postgres => $"{postgres.SqlState} {postgres.MessageText}",
            _ => $"{cause.GetType().Name}: {cause.Message}",
        };

        // Addresses and further lines would make one cause look like many.
        text = text.Split('\n')[0].Trim();
        var outer = exception.GetType().Name;
        return cause == exception ? text : $"{outer} ({text})";
    }

    private static IEnumerable<Exception> Chain(Exception exception)
    {
        for (Exception? inner = exception; inner is not null; inner = inner.InnerException)
        {
            yield return inner;
        }
    }
}
