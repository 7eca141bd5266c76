using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.Logging;

namespace DbRetry.EFCore.Diagnostics;

/// <summary>The events as EF Core defines its own: with the level and behaviour that <c>ConfigureWarnings</c> gives them.</summary>
internal sealed class EventDefinitions(ILoggingOptions options)
{
    private readonly ConcurrentDictionary<int, EventDefinitionBase> _definitions = new();

    internal EventDefinitionBase Of(EventId id, LogLevel level)
        => _definitions.GetOrAdd(
            id.Id,
            static (_, key) => new FallbackEventDefinition(key.Options, key.Id, key.Level, $"{nameof(DbRetryEventId)}.{ShortName(key.Id)}", string.Empty),
            (Options: options, Id: id, Level: level));

    private static string ShortName(EventId id) => id.Name![(id.Name!.LastIndexOf('.') + 1)..];
}
