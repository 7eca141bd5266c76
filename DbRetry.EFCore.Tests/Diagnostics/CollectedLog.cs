using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace DbRetry.EFCore.Tests.Diagnostics;

/// <summary>A logger factory as an application makes it, whose only provider collects.</summary>
internal sealed class CollectedLog : ILoggerProvider
{
    private readonly ConcurrentQueue<LogLine> _lines = new();

    public CollectedLog(LogLevel least = LogLevel.Trace)
        => Factory = LoggerFactory.Create(builder => builder.SetMinimumLevel(least).AddProvider(this));

    public ILoggerFactory Factory { get; }

    /// <summary>What DbRetry has logged.</summary>
    public IReadOnlyList<LogLine> Lines => [.. _lines.Where(line => line.Category.StartsWith("DbRetry.", StringComparison.Ordinal))];

    /// <summary>What DbRetry has logged of these events.</summary>
    public IReadOnlyList<LogLine> Of(params EventId[] events) => [.. Lines.Where(line => events.Contains(line.Event))];

    public ILogger CreateLogger(string categoryName) => new Collector(categoryName, _lines);

    public void Dispose()
    {
    }

    private sealed class Collector(string category, ConcurrentQueue<LogLine> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            => lines.Enqueue(new(category, logLevel, eventId, formatter(state, exception), exception));
    }
}

internal sealed record LogLine(string Category, LogLevel Level, EventId Event, string Text, Exception? Exception);
