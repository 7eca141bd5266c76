using System.Diagnostics;
using System.Globalization;

namespace DbRetry.EFCore.Diagnostics;

/// <summary>One attempt of a unit in a trace, with the commands that it ran below it.</summary>
internal static class AttemptActivity
{
    /// <summary>Counts the attempt, and traces it where somebody listens.</summary>
    /// <param name="failed">How many attempts of the unit have failed before.</param>
    internal static Activity? Start(int failed)
    {
        RetryInstruments.Attempted();
        if (!RetryInstruments.Activities.HasListeners())
        {
            return null;
        }

        var activity = RetryInstruments.Activities.StartActivity("DbRetry attempt", ActivityKind.Client);
        activity?.SetTag("db.system.name", "postgresql");
        activity?.SetTag("dbretry.attempt", (failed + 1).ToString(CultureInfo.InvariantCulture));
        return activity;
    }

    /// <summary>Says how the attempt ended. The exception itself stays out: its text may hold the application's data.</summary>
    internal static void Fail(this Activity activity, string kind, string? sqlState, string reason, string host)
    {
        activity.SetStatus(ActivityStatusCode.Error, reason);
        activity.SetTag("error.type", sqlState ?? kind);
        activity.SetTag("dbretry.failure.kind", kind);
        activity.SetTag("dbretry.host", host);
        if (sqlState is not null)
        {
            activity.SetTag("db.response.status_code", sqlState);
        }
    }
}
