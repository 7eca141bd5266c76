using System.Collections.Concurrent;
using DbRetry.EFCore.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace DbRetry.EFCore.Configuration;

/// <summary>The options that an application registered, as they are now.</summary>
/// <remarks>Nobody may change what it returns: contexts share it.</remarks>
internal sealed class ConfiguredOptions(
    IOptionsMonitor<DbRetryOptions> monitor, IEnumerable<ConfiguredCluster> clusters, ILoggerFactory? loggerFactory = null)
{
    private readonly HashSet<string> _names = [.. clusters.Select(static cluster => cluster.Name)];
    private readonly ConcurrentDictionary<string, DbRetryOptions> _valid = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _refused = new(StringComparer.Ordinal);
    private readonly ILogger _logger = loggerFactory?.CreateLogger(LogCategory.Configuration) ?? NullLogger.Instance;

    internal bool Has(string name) => _names.Contains(name);

    /// <summary>The options of a name. After a reload that is not valid, those of before.</summary>
    /// <exception cref="InvalidOperationException">Nothing was registered under the name.</exception>
    /// <exception cref="OptionsValidationException">They are not valid, and never were.</exception>
    internal DbRetryOptions Get(string name)
    {
        if (!Has(name))
        {
            throw new InvalidOperationException(
                $"UseDbRetry(\"{name}\") was called, but no options have that name. Call services.AddDbRetry(\"{name}\", …), "
                    + $"or use one of: {string.Join(", ", _names.Select(static known => $"\"{known}\""))}.");
        }

        try
        {
            var options = monitor.Get(name);
            _valid[name] = options;
            return options;
        }
        catch (OptionsValidationException mistake) when (_valid.TryGetValue(name, out var before))
        {
            Refused(name, mistake.Message);
            return before;
        }
    }

    /// <summary>A reload is not used.</summary>
    internal void Refused(string name, string problem)
    {
        // Contexts are made all the time; the problem is told once.
        if (!_refused.TryGetValue(name, out var told) || told != problem)
        {
            _refused[name] = problem;
            _logger.ReloadRefused(name, problem);
        }
    }
}
