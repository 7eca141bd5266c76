using DbRetry.EFCore;
using Npgsql;

namespace DbRetry.Demo.Load;

/// <summary>What an exception that a caller saw was about, in a line that others of the same cause share.</summary>
internal static class ErrorText
{
    private const int LongestText = 100;

    public static bool SaysUnknown(Exception exception) =>
        Chain(exception).OfType<CommitOutcomeUnknownException>().Any();

    public static string Of(Exception exception)
    {
        var chain = Chain(exception).ToList();
        var cause = chain.OfType<NpgsqlException>().FirstOrDefault() ?? chain[^1];
        var text = cause switch
        {
            PostgresException postgres => $"{postgres.SqlState} {postgres.MessageText}",
            _ => $"{cause.GetType().Name}: {cause.Message}",
        };
        text = text.Split('\n')[0].Trim(); // Further lines hold addresses and make one cause look like many.
        text = cause == exception ? text : $"{exception.GetType().Name} ({text})";
        return text.Length <= LongestText ? text : $"{text[..(LongestText - 1)]}…";
    }

    private static IEnumerable<Exception> Chain(Exception exception)
    {
        for (Exception? inner = exception; inner is not null; inner = inner.InnerException)
        {
            yield return inner;
        }
    }
}
