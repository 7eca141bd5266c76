using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.Logging;

namespace DbRetry.EFCore.Diagnostics;

/// <summary>
/// Sends events where EF Core sends its own: to the context's logger, to <c>LogTo</c> and to the diagnostic source, as <c>ConfigureWarnings</c> decides.
/// </summary>
/// <remarks>
/// EF's own logger wants a class per event and category. An <see cref="ILogger"/> lets one set of messages serve contexts and <see cref="DbRetryPolicy"/>.
/// An event that <c>ConfigureWarnings</c> would have thrown is logged: a failover that was survived must not become a failure.
/// </remarks>
internal sealed class ContextEventLogger(
    ILogger logger, EventDefinitions definitions, IDbContextLogger contextLogger, DiagnosticSource diagnosticSource) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull
        => logger.BeginScope(state);

    // That depends on the event, and not on its level alone.
    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        var definition = definitions.Of(eventId, logLevel);
        if (definition.WarningBehavior is WarningBehavior.Ignore)
        {
            return;
        }

        if (logger.IsEnabled(definition.Level))
        {
            logger.Log(definition.Level, eventId, state, exception, formatter);
        }

        var isObserved = diagnosticSource.IsEnabled(eventId.Name!);
        var isForContext = contextLogger.ShouldLog(eventId, definition.Level);
        if (isObserved || isForContext)
        {
            var data = new EventData(definition, (_, _) => formatter(state, exception));
            if (isObserved)
            {
                Publish(eventId.Name!, data);
            }

            if (isForContext)
            {
                contextLogger.Log(data);
            }
        }
    }

    [System.Diagnostics.CodeAnalysis.UnconditionalSuppressMessage(
        "Trimming", "IL2026", Justification = "EventData has no properties beyond those that EF Core's own events have.")]
    private void Publish(string name, EventData data) => diagnosticSource.Write(name, data);
}
