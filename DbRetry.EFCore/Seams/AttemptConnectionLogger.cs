#pragma warning disable EF1001 // RelationalConnectionDiagnosticsLogger: EF's own, which tells interceptors and logs of connections.
using System.Diagnostics;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry.Fencing;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Diagnostics.Internal;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;

namespace DbRetry.EFCore.Seams;

/// <summary>Lets ours open a connection when EF has told the application's interceptors that it is about to.</summary>
/// <remarks>
/// EF would put ours first (EFCore/Diagnostics/Internal/Interceptors.cs). Ours opens the connection itself, and an application's interceptor that sets the
/// connection string or a password must have had its say before. Nor does EF make an object here for each event if nobody else listens. Leans on
/// EFCore.Relational/Storage/RelationalConnection.cs, which tells the logger of every open, and asks it before whether it wants to be told.
/// </remarks>
internal sealed class AttemptConnectionLogger(
    ILoggerFactory loggerFactory,
    ILoggingOptions loggingOptions,
    DiagnosticSource diagnosticSource,
    LoggingDefinitions loggingDefinitions,
    IDbContextLogger contextLogger,
    IDbContextOptions contextOptions,
    ContextSettings settings,
    HostConnectionInterceptor hosts,
    SessionFence fence,
    IInterceptors? interceptors = null)
    : RelationalConnectionDiagnosticsLogger(
        loggerFactory, loggingOptions, diagnosticSource, loggingDefinitions, contextLogger, contextOptions, interceptors)
{
    private readonly bool _isGuarded = settings.Settings is not null;

    // Whether anybody but us wants to hear of an open.
    private bool _tells;

    public override bool ShouldLogConnectionOpen(DateTimeOffset now)
    {
        _tells = base.ShouldLogConnectionOpen(now);
        return _isGuarded || _tells;
    }

    public override InterceptionResult ConnectionOpening(IRelationalConnection connection, DateTimeOffset startTime)
    {
        var result = _tells ? base.ConnectionOpening(connection, startTime) : default;
        return _isGuarded ? hosts.ConnectionOpening(connection.DbConnection, null!, result) : result;
    }

    public override ValueTask<InterceptionResult> ConnectionOpeningAsync(
        IRelationalConnection connection, DateTimeOffset startTime, CancellationToken cancellationToken)
    {
        return !_isGuarded ? base.ConnectionOpeningAsync(connection, startTime, cancellationToken)
            : _tells ? TellAsync()
            : hosts.ConnectionOpeningAsync(connection.DbConnection, null!, default, cancellationToken);

        async ValueTask<InterceptionResult> TellAsync()
        {
            var result = await base.ConnectionOpeningAsync(connection, startTime, cancellationToken).ConfigureAwait(false);
            return await hosts.ConnectionOpeningAsync(connection.DbConnection, null!, result, cancellationToken).ConfigureAwait(false);
        }
    }

    public override void ConnectionOpened(IRelationalConnection connection, DateTimeOffset startTime, TimeSpan duration)
    {
        if (_tells)
        {
            base.ConnectionOpened(connection, startTime, duration);
        }

        if (_isGuarded)
        {
            fence.Opened(connection.DbConnection);
        }
    }

    public override Task ConnectionOpenedAsync(
        IRelationalConnection connection, DateTimeOffset startTime, TimeSpan duration, CancellationToken cancellationToken = default)
    {
        return !_isGuarded ? base.ConnectionOpenedAsync(connection, startTime, duration, cancellationToken)
            : _tells ? TellAsync()
            : fence.OpenedAsync(connection.DbConnection, cancellationToken);

        async Task TellAsync()
        {
            await base.ConnectionOpenedAsync(connection, startTime, duration, cancellationToken).ConfigureAwait(false);
            await fence.OpenedAsync(connection.DbConnection, cancellationToken).ConfigureAwait(false);
        }
    }
}
