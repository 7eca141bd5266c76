using System.Data.Common;
using System.Runtime.CompilerServices;
using DbRetry.EFCore.Hosts.Names;
using DbRetry.EFCore.Hosts.Positions;
using DbRetry.EFCore.Hosts.Targets;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Retry.Reporting;
using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>Opens EF's connections itself, by rewriting their connection string to one host of the cluster after the other.</summary>
/// <remarks><see cref="AttemptConnectionLogger"/> calls it, behind the application's interceptors. It does not look at the data of the event.</remarks>
internal sealed class HostConnectionInterceptor(
    ContextSettings context,
    AttemptLog log,
    SessionTargets targets,
    HostOpener opener,
    PositionReader positions,
    EventReporter reporter,
    IHostNames names,
    TimeProvider time)
    : DbConnectionInterceptor
{
    // EF opens the same connection object many times, and after the first time its connection string is one host's and lacks the password
    // (ServerBehavior/PasswordHidingTests): what it was in the beginning must be remembered.
    private static readonly ConditionalWeakTable<NpgsqlConnection, Binding> Bindings = [];

    /// <summary>The cluster that the context's connection leads to; <see langword="null"/> where the application made the connection.</summary>
    internal Cluster? Cluster => CurrentRoute?.Cluster;

    /// <summary>How the context's connection reaches its cluster; <see langword="null"/> where the application made the connection.</summary>
    internal HostRoute? CurrentRoute => log.Connection is { } connection ? Route(connection.DbConnection) : null;

    public override InterceptionResult ConnectionOpening(DbConnection connection, ConnectionEventData eventData, InterceptionResult result)
    {
        if (result.IsSuppressed || Route(connection) is not { } route)
        {
            return result;
        }

        var npgsql = (NpgsqlConnection)connection;
        log.Enter(AttemptPhase.Opening);
        log.Reporter = reporter;
        try
        {
            route = route.LookUp();
            var wanted = targets.Wanted(route, RunningSave.IsAny(log.Connection?.Context));
            if (wanted.AfterOwnWrites)
            {
                wanted = targets.After(wanted, positions.Read(npgsql, route, context.Settings!, log));
            }

            var host = opener.Open(npgsql, route, wanted, context.Settings!, log);
            route = host.Route;
            log.Opened(host, wanted.Target);
        }
        finally
        {
            Remember(npgsql, route);
            reporter.Tell(route.Cluster);
        }

        log.Enter(AttemptPhase.None);
        reporter.Noticed(context.Settings!, route.Cluster);
        return InterceptionResult.Suppress();
    }

    public override async ValueTask<InterceptionResult> ConnectionOpeningAsync(
        DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        if (result.IsSuppressed || Route(connection) is not { } route)
        {
            return result;
        }

        var npgsql = (NpgsqlConnection)connection;
        log.Enter(AttemptPhase.Opening);
        log.Reporter = reporter;
        try
        {
            route = await route.LookUpAsync(cancellationToken).ConfigureAwait(false);
            var wanted = targets.Wanted(route, RunningSave.IsAny(log.Connection?.Context));
            if (wanted.AfterOwnWrites)
            {
                var written = await positions.ReadAsync(npgsql, route, context.Settings!, log, cancellationToken).ConfigureAwait(false);
                wanted = targets.After(wanted, written);
            }

            var host = await opener.OpenAsync(npgsql, route, wanted, context.Settings!, log, cancellationToken).ConfigureAwait(false);
            route = host.Route;
            log.Opened(host, wanted.Target);
        }
        finally
        {
            Remember(npgsql, route);
            reporter.Tell(route.Cluster);
        }

        log.Enter(AttemptPhase.None);
        await reporter.NoticedAsync(context.Settings!, route.Cluster, cancellationToken).ConfigureAwait(false);
        return InterceptionResult.Suppress();
    }

    private static void Remember(NpgsqlConnection connection, HostRoute route)
    {
        if (Bindings.TryGetValue(connection, out var binding))
        {
            binding.Route = route;
            binding.LastSeen = connection.ConnectionString;
        }
    }

    /// <summary>How the hosts of a connection are reached; <see langword="null"/> where the application made it.</summary>
    internal HostRoute? Route(DbConnection connection)
    {
        // UseNpgsql(DbConnection), SetDbConnection: the application owns it and opens it as it likes.
        if (connection is not NpgsqlConnection npgsql || (log.Connection is ReopenRefusingConnection own && own.IsGiven(npgsql)))
        {
            return null;
        }

        // A connection string that is not the one we left was set by the application since: SetConnectionString, or an interceptor.
        var current = npgsql.ConnectionString;
        if (Bindings.TryGetValue(npgsql, out var binding) && (ReferenceEquals(current, binding.LastSeen) || current == binding.LastSeen))
        {
            return binding.Route;
        }

        HostRoute route = EfDataSource.Of(log.Connection, npgsql) is { } dataSource && current == dataSource.ConnectionString
            ? DataSourceRoute.Get(dataSource, log.DeclaredTarget, context.Settings!)
            : ConnectionStringRoute.Get(
                current, log.DeclaredTarget, context.Settings!, NamedServer.IsHandledElsewhere(npgsql) ? null : names, time);
        Bindings.AddOrUpdate(npgsql, new Binding(route) { LastSeen = current });
        return route;
    }

    private sealed class Binding(HostRoute route)
    {
        internal HostRoute Route { get; set; } = route;

        internal string LastSeen { get; set; } = string.Empty;
    }
}
