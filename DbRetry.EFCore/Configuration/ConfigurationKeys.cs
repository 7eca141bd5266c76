using System.Globalization;
using DbRetry.EFCore.Dsn;
using Microsoft.Extensions.Configuration;

namespace DbRetry.EFCore.Configuration;

/// <summary>Reads options from a section of an application's configuration.</summary>
/// <remarks>
/// By an own table rather than by reflection: an option that is misspelt is an error instead of being ignored, every error names its key, and nothing
/// stands in the way of trimming.
/// </remarks>
internal static class ConfigurationKeys
{
    private static readonly Dictionary<string, Action<DbRetryOptions, IConfigurationSection>> Readers = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(DbRetryOptions.MaxRetryCount)] = static (options, value) => options.MaxRetryCount = Number(value),
        [nameof(DbRetryOptions.FailoverTimeout)] = static (options, value) => options.FailoverTimeout = Time(value),
        [nameof(DbRetryOptions.HostTimeout)] = static (options, value) => options.HostTimeout = Time(value),
        [nameof(DbRetryOptions.TargetSession)] = static (options, value) => options.TargetSession = Session(value),
        [nameof(DbRetryOptions.ConflictDelay)] = static (options, value) => options.ConflictDelay = Time(value),
        [nameof(DbRetryOptions.MaxConflictDelay)] = static (options, value) => options.MaxConflictDelay = Time(value),
        [nameof(DbRetryOptions.QueueConflicts)] = static (options, value) => options.QueueConflicts = Flag(value),
        [nameof(DbRetryOptions.ReconnectDelay)] = static (options, value) => options.ReconnectDelay = Time(value),
        [nameof(DbRetryOptions.MaxReconnectDelay)] = static (options, value) => options.MaxReconnectDelay = Time(value),
        [nameof(DbRetryOptions.RetryBudget)] = static (options, value) => options.RetryBudget = Number(value),
        [nameof(DbRetryOptions.CommitVerification)] = static (options, value) => options.CommitVerification = Choice<CommitVerification>(value),
        [nameof(DbRetryOptions.WitnessTable)] = static (options, value) => options.WitnessTable = value.Value!,
        [nameof(DbRetryOptions.AbandonSilentHosts)] = static (options, value) => options.AbandonSilentHosts = Flag(value),
        [nameof(DbRetryOptions.Buffering)] = static (options, value) => options.Buffering = Choice<ResultBuffering>(value),
        [nameof(DbRetryOptions.ReadAheadRows)] = static (options, value) => options.ReadAheadRows = Number(value),
        [nameof(DbRetryOptions.ReadYourWrites)] = static (options, value) => options.ReadYourWrites = Flag(value),
        [nameof(DbRetryOptions.RetriableSqlStates)] = static (options, value) => options.RetriableSqlStates.UnionWith(List(value)),
    };

    /// <summary>The options that configuration can give.</summary>
    internal static IReadOnlyCollection<string> Names => Readers.Keys;

    /// <summary>Sets the options that the section gives. A key without a value leaves its option alone.</summary>
    /// <returns>What is wrong with it; each problem names its key.</returns>
    internal static List<string> Read(IConfiguration section, DbRetryOptions options)
    {
        var problems = new List<string>();
        foreach (var key in section.GetChildren())
        {
            if (!Readers.TryGetValue(key.Key, out var read))
            {
                problems.Add($"{key.Path} is no option of DbRetry. There are {string.Join(", ", Readers.Keys)}.");
            }
            else if (!string.IsNullOrEmpty(key.Value) || key.GetChildren().Any())
            {
                try
                {
                    read(options, key);
                }
                catch (FormatException mistake)
                {
                    problems.Add(mistake.Message);
                }
            }
        }

        return problems;
    }

    private static int Number(IConfigurationSection value)
        => int.TryParse(value.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw Mistake(value, "a whole number");

    // A bare number would be read as days.
    private static TimeSpan Time(IConfigurationSection value)
        => value.Value?.Contains(':', StringComparison.Ordinal) is true && TimeSpan.TryParse(value.Value, CultureInfo.InvariantCulture, out var time)
            ? time
            : throw Mistake(value, "a time in hours, minutes and seconds, such as 00:00:30 or 00:00:00.250");

    private static bool Flag(IConfigurationSection value)
        => bool.TryParse(value.Value, out var flag) ? flag : throw Mistake(value, "true or false");

    private static TargetSession Session(IConfigurationSection value)
        => TargetSessionNames.TryParse(value.Value, out var session) || Enum.TryParse(value.Value, ignoreCase: true, out session)
            ? session
            : throw Mistake(value, $"one of {string.Join(", ", Enum.GetNames<TargetSession>())}");

    private static T Choice<T>(IConfigurationSection value)
        where T : struct, Enum
        => Enum.TryParse<T>(value.Value, ignoreCase: true, out var choice)
            ? choice
            : throw Mistake(value, $"one of {string.Join(", ", Enum.GetNames<T>())}");

    // A list in a file, or the states with commas between in an environment variable.
    private static IEnumerable<string> List(IConfigurationSection value)
        => value.Value is { } states
            ? states.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            : value.GetChildren().Select(static state => state.Value ?? string.Empty);

    private static FormatException Mistake(IConfigurationSection value, string wanted) => new($"{value.Path} is '{value.Value}'; it must be {wanted}.");
}
