using System.Runtime.ExceptionServices;
using DbRetry.EFCore.Hosts.Positions;
using DbRetry.EFCore.Hosts.Probing;
using DbRetry.EFCore.Hosts.Targets;
using DbRetry.EFCore.Retry;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>Opens a connection to a host that fits, waiting for one while the unit's time lasts.</summary>
internal sealed class HostOpener(TimeProvider time, Random random)
{
    // Callers that block may hold all the threads that the prober needs.
    private static readonly TimeSpan LongestBlockingWait = TimeSpan.FromSeconds(2);

    /// <exception cref="NoSuitableHostException">No host of the cluster fitted while the time lasted.</exception>
    /// <exception cref="NpgsqlException">The only host, or one that fits, refused the connection.</exception>
    internal HostRef Open(NpgsqlConnection connection, HostRoute route, WantedSession wanted, RetrySettings settings, AttemptLog log)
    {
        var target = wanted.Target;
        var search = new OpenSearch(route, target, settings, log, time, random);
        while (true)
        {
            switch (search.Next())
            {
                case OpenStep.Try:
                    try
                    {
                        route.Bind(connection, search.Host);
                        using (route.Herd.Enter(connection, search.Host, time))
                        {
                            connection.Open();
                        }

                        var role = KnownRole(connection, route, search.Host);
                        if (search.Accepts(search.Believes(role) ? role : Ask(connection, route, search.Host, settings, log))
                            && (wanted.ReadAfter is not { } position
                                || search.Shows(position, PositionQueries.Replayed(connection, settings.HostTimeout))))
                        {
                            return new(route, search.Host);
                        }

                        connection.Close();
                    }
                    catch (Exception exception)
                    {
                        connection.Close();
                        search.Failed(exception);
                    }

                    break;
                case OpenStep.Wait:
                    log.Reporter?.Waiting(route.Cluster);
                    using (var waiter = Waiter(search, route, target, settings, blocking: true))
                    {
                        waiter.Wait(search.Delay < LongestBlockingWait ? search.Delay : LongestBlockingWait);
                    }

                    break;
                case OpenStep.Elsewhere:
                    return Open(connection, route.Latest, wanted, settings, log);
                default:
                    ExceptionDispatchInfo.Throw(search.Error!);
                    break;
            }
        }
    }

    /// <inheritdoc cref="Open"/>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    internal async ValueTask<HostRef> OpenAsync(
        NpgsqlConnection connection,
        HostRoute route,
        WantedSession wanted,
        RetrySettings settings,
        AttemptLog log,
        CancellationToken cancellationToken)
    {
        var target = wanted.Target;
        var search = new OpenSearch(route, target, settings, log, time, random);
        while (true)
        {
            switch (search.Next())
            {
                case OpenStep.Try:
                    try
                    {
                        route.Bind(connection, search.Host);
                        using (await route.Herd.EnterAsync(connection, search.Host, time, cancellationToken).ConfigureAwait(false))
                        {
                            await AbandonedOpens.OpenAsync(connection, cancellationToken).ConfigureAwait(false);
                        }

                        var role = KnownRole(connection, route, search.Host);
                        if (search.Accepts(search.Believes(role)
                                ? role
                                : await AskAsync(connection, route, search.Host, settings, log, cancellationToken).ConfigureAwait(false))
                            && (wanted.ReadAfter is not { } position
                                || search.Shows(
                                    position,
                                    await PositionQueries.ReplayedAsync(connection, settings.HostTimeout, cancellationToken).ConfigureAwait(false))))
                        {
                            return new(route, search.Host);
                        }

                        await connection.CloseAsync().ConfigureAwait(false);
                    }
                    catch (Exception exception)
                    {
                        if (!AbandonedOpens.IsPending(connection))
                        {
                            await connection.CloseAsync().ConfigureAwait(false);
                        }

                        search.Failed(exception);
                    }

                    break;
                case OpenStep.Wait:
                    log.Reporter?.Waiting(route.Cluster);
                    using (var waiter = Waiter(search, route, target, settings, blocking: false))
                    {
                        await waiter.WaitAsync(search.Delay, cancellationToken).ConfigureAwait(false);
                    }

                    break;
                case OpenStep.Elsewhere:
                    return await OpenAsync(connection, route.Latest, wanted, settings, log, cancellationToken).ConfigureAwait(false);
                default:
                    ExceptionDispatchInfo.Throw(search.Error!);
                    break;
            }
        }
    }

    private HostWaiter Waiter(OpenSearch search, HostRoute route, TargetSession target, RetrySettings settings, bool blocking)
        => route.Cluster.Prober.Enter(route, target, settings, search.Rest, time, random, blocking);

    // A server that reports nothing is asked once per physical connection.
    private static HostRole? KnownRole(NpgsqlConnection connection, HostRoute route, int host)
        => HostRoles.Reported(connection) ?? route.Cluster.SessionRole(host, connection.ProcessID);

    private static HostSighting Ask(NpgsqlConnection connection, HostRoute route, int host, RetrySettings settings, AttemptLog log)
    {
        var sighting = HostRoles.Ask(connection, settings.HostTimeout);
        route.Cluster.NoteSession(host, connection.ProcessID, sighting.Role);
        log.IsProvenPrimary = sighting.Role is HostRole.Primary;
        return sighting;
    }

    private static async Task<HostSighting> AskAsync(
        NpgsqlConnection connection, HostRoute route, int host, RetrySettings settings, AttemptLog log, CancellationToken cancellationToken)
    {
        var sighting = await HostRoles.AskAsync(connection, settings.HostTimeout, cancellationToken).ConfigureAwait(false);
        route.Cluster.NoteSession(host, connection.ProcessID, sighting.Role);
        log.IsProvenPrimary = sighting.Role is HostRole.Primary;
        return sighting;
    }
}
