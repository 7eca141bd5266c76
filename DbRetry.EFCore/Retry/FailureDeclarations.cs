using Npgsql;

namespace DbRetry.EFCore.Retry;

/// <summary>Lets the application's declarations overrule the built-in table, as far as they may.</summary>
internal static class FailureDeclarations
{
    /// <summary>
    /// The predicate is asked about each exception of the chain, outermost first, because EF wraps what the application would recognise; its first
    /// answer counts. What is retriable anyway keeps its kind, which knows best what to wait for.
    /// </summary>
    internal static Failure Apply(Failure failure, Exception exception, FailureRules rules)
    {
        // No declaration makes an unknown outcome known, and none speaks for a caller who gave up.
        if (failure.Kind is FailureKind.OutcomeUnknown or FailureKind.Cancelled)
        {
            return failure;
        }

        if (rules.ShouldRetry is { } shouldRetry)
        {
            foreach (var candidate in ExceptionChain.Walk(exception))
            {
                switch (shouldRetry(candidate))
                {
                    case true:
                        return Declare(failure, candidate, "the application declares this exception retriable");
                    case false:
                        return failure with
                        {
                            Kind = FailureKind.Permanent,
                            Reason = "the application declares this exception permanent",
                            SqlState = (candidate as PostgresException)?.SqlState,
                            Deciding = candidate,
                        };
                }
            }
        }

        if (rules.RetriableSqlStates.Count > 0)
        {
            foreach (var candidate in ExceptionChain.Walk(exception))
            {
                if (candidate is PostgresException error && rules.RetriableSqlStates.Contains(error.SqlState))
                {
                    return Declare(failure, candidate, "the application declares this SQLSTATE retriable");
                }
            }
        }

        return failure;
    }

    private static Failure Declare(Failure failure, Exception deciding, string reason)
        => failure.IsRetriable
            ? failure
            : failure with { Kind = FailureKind.Declared, Reason = reason, SqlState = (deciding as PostgresException)?.SqlState, Deciding = deciding };
}
