using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.EFCore.Retry;

/// <summary>The exceptions inside an exception.</summary>
internal static class ExceptionChain
{
    /// <summary>
    /// How many exceptions are looked at. Real chains have a handful, one per host at most; the bound also ends a chain that leads back to itself.
    /// </summary>
    internal const int MaxLength = 64;

    /// <summary>The exception, then those inside it, outermost first; not those that another strategy has retried already.</summary>
    internal static IEnumerable<Exception> Walk(Exception exception)
    {
        var left = MaxLength;
        var waiting = new Stack<Exception>();
        waiting.Push(exception);
        while (left-- > 0 && waiting.TryPop(out var current))
        {
            yield return current;
            switch (current)
            {
                case RetryLimitExceededException:
                    break;
                case AggregateException several:
                    for (var i = several.InnerExceptions.Count - 1; i >= 0; i--)
                    {
                        waiting.Push(several.InnerExceptions[i]);
                    }

                    break;
                default:
                    if (current.InnerException is { } inner)
                    {
                        waiting.Push(inner);
                    }

                    break;
            }
        }
    }
}
