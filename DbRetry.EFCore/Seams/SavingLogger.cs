#pragma warning disable EF1001 // DiagnosticsLogger: EF's own logger, of which one event is held back.
using System.Diagnostics;
using DbRetry.EFCore.Commits;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Diagnostics.Internal;
using Microsoft.Extensions.Logging;

namespace DbRetry.EFCore.Seams;

/// <summary>EF's logger for saves, which keeps silent about the result that <see cref="IdentityRider"/> added to one.</summary>
/// <remarks>
/// EF warns of a result that nobody asked for (UnexpectedTrailingResultSetWhenSaving), and applications may have made that an error. The other events are
/// decided upon as EF does (EFCore/Diagnostics/IDiagnosticsLogger.cs).
/// </remarks>
internal sealed class SavingLogger(
    ILoggerFactory loggerFactory,
    ILoggingOptions loggingOptions,
    DiagnosticSource diagnosticSource,
    LoggingDefinitions loggingDefinitions,
    IDbContextLogger contextLogger,
    IdentityRider rider,
    IInterceptors? interceptors = null)
    : DiagnosticsLogger<DbLoggerCategory.Update>(
        loggerFactory, loggingOptions, diagnosticSource, loggingDefinitions, contextLogger, interceptors),
        IDiagnosticsLogger<DbLoggerCategory.Update>
{
    bool IDiagnosticsLogger.ShouldLog(EventDefinitionBase definition)
        => !IsOurs(definition)
            && (definition.WarningBehavior is WarningBehavior.Throw
                || (definition.WarningBehavior is not WarningBehavior.Ignore && Logger.IsEnabled(definition.Level)));

    bool IDiagnosticsLogger.NeedsEventData(EventDefinitionBase definition, out bool diagnosticSourceEnabled, out bool simpleLogEnabled)
    {
        var isOurs = IsOurs(definition);
        diagnosticSourceEnabled = !isOurs && DiagnosticSource.IsEnabled(definition.EventId.Name!);
        simpleLogEnabled = !isOurs
            && definition.WarningBehavior is WarningBehavior.Log
            && DbContextLogger.ShouldLog(definition.EventId, definition.Level);
        return diagnosticSourceEnabled || simpleLogEnabled;
    }

    private bool IsOurs(EventDefinitionBase definition)
        => rider.IsRiding && definition.EventId == RelationalEventId.UnexpectedTrailingResultSetWhenSaving;
}
