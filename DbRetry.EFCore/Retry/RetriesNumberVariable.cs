using System.Globalization;

namespace DbRetry.EFCore.Retry;

/// <summary>The environment's say on how often is retried.</summary>
internal static class RetriesNumberVariable
{
    internal const string Name = "DB_RETRY_RETRIES_NUMBER";

    /// <summary>The name that the Python library <c>db-retry</c> reads.</summary>
    internal const string OlderName = "DB_UTILS_RETRIES_NUMBER";

    internal const int Unset = 3;

    internal static int Read(Func<string, string?> environment)
        => Parse(Name, environment(Name)) ?? Parse(OlderName, environment(OlderName)) ?? Unset;

    private static int? Parse(string name, string? value)
        => string.IsNullOrWhiteSpace(value)
            ? null
            : int.TryParse(value, NumberStyles.None | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var number)
                ? number
                : throw new InvalidOperationException(
                    $"The environment variable {name} is '{value}'; it must be a whole number of retries, 0 or more. Correct it, unset it, or set DbRetryOptions.MaxRetryCount.");
}
