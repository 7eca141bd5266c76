using System.Data;
using System.Diagnostics.CodeAnalysis;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Hosts.Targets;

/// <summary>
/// Which hosts may serve one context now: what its scopes and the command that is being executed ask for in the place of its options, and how far the
/// history must go that it reads.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "A scope belongs to the application, and there is nothing to free in it.")]
internal sealed class SessionTargets(ContextSettings context, AttemptLog log) : IResettableService
{
    private TargetSessionScope? _scope;
    private TargetSession? _ofQuery;
    private WriteIntent _intent;

    /// <summary>A position behind what the context wrote, as it was last asked for.</summary>
    internal CommitPosition? Written { get; private set; }

    /// <exception cref="InvalidOperationException">The connection is the application's, or it is open and leads to a host that does not fit.</exception>
    internal TargetSessionScope Enter(IRelationalConnection connection, TargetSession target, CommitPosition? readAfter)
    {
        if (connection is ReopenRefusingConnection { IsGivenAny: true })
        {
            throw new InvalidOperationException(
                "The context uses a connection that the application passed in, so DbRetry does not choose its host. Pass a connection string or a data source "
                + "to UseNpgsql(…) instead.");
        }

        readAfter = readAfter == default(CommitPosition) ? null : readAfter;
        ThrowIfOpenElsewhere(target, readAfter);
        return _scope = new TargetSessionScope(this, _scope, target, readAfter);
    }

    /// <summary>A scope has ended. Those inside it that are still open end with it.</summary>
    internal void Leave()
    {
        for (var scope = _scope; scope is not null; scope = scope.Outer)
        {
            if (scope.IsOver)
            {
                _scope = scope.Outer;
            }
        }
    }

    /// <summary>An open connection stays where it is, so it must fit already.</summary>
    /// <exception cref="InvalidOperationException">It does not.</exception>
    internal void ThrowIfOpenElsewhere(TargetSession target, CommitPosition? readAfter = null)
    {
        if (log.Connection?.DbConnection is not NpgsqlConnection { State: ConnectionState.Open } connection)
        {
            return;
        }

        var role = HostRoles.Reported(connection) ?? (log.Host is { } host ? host.Route.Cluster.SessionRole(host.Index, connection.ProcessID) : null);
        var leadsTo = role is null && target is not TargetSession.Any ? "a host whose role is not known"
            : role is { } known && target.Match(known) is TargetSessionMatch.Unfit ? known is HostRole.Standby ? "a standby" : "a primary"
            : role is not HostRole.Primary && readAfter is not null ? "a host that may not have come to the position to read after"
            : null;
        if (leadsTo is not null)
        {
            throw new InvalidOperationException(
                $"The target session {target} cannot be had now: the connection of the context is open and leads to {leadsTo}"
                + $"{(log.Host is { } at ? $" ({at})" : string.Empty)}, and an open connection is not moved. Ask for the target session before the transaction "
                + "begins or the connection is opened, or use another context.");
        }
    }

    /// <summary>Something is executed that may open the connection, until the result is disposed.</summary>
    internal Execution Execute(WriteIntent intent, TargetSession? ofQuery = null) => new(this, intent, ofQuery);

    /// <summary>What the connection is for that is about to be opened.</summary>
    /// <param name="route">How the hosts are reached.</param>
    /// <param name="saves">Whether SaveChanges opens it.</param>
    /// <exception cref="InvalidOperationException">It is to write, and its target session leads to standbys only.</exception>
    internal WantedSession Wanted(HostRoute route, bool saves)
    {
        // Work that must reach a primary may run in a context that reads from standbys.
        if (log.RequiresPrimary)
        {
            return new(TargetSession.ReadWrite);
        }

        var target = _ofQuery ?? _scope?.Target ?? route.Target;
        var hosts = route.Cluster.Hosts.Length;
        if (saves || _intent is WriteIntent.Certain)
        {
            return new(WriteTarget.For(target, hosts) ?? throw Refusal(target, null));
        }

        if (_intent is WriteIntent.Possible)
        {
            target = WriteTarget.For(target, hosts) ?? target;
        }

        var readAfter = _scope?.ReadAfter;
        return !context.Settings!.ReadYourWrites || hosts == 1 || target is TargetSession.ReadWrite or TargetSession.Primary ? new(target, readAfter)
            : !log.HasWritten ? new(target, Later(readAfter, Written))
            : target is TargetSession.PreferPrimary ? new(TargetSession.Primary, readAfter) // Whom it would have to ask first.
            : new(target, readAfter, AfterOwnWrites: true);
    }

    /// <summary>What the connection is for, now that the primary was asked how far what the context wrote is.</summary>
    /// <param name="wanted">What it was for so far.</param>
    /// <param name="written">What the primary said; <see langword="null"/> if it does not tell: then nobody but a primary shows it for certain.</param>
    internal WantedSession After(WantedSession wanted, CommitPosition? written)
    {
        if (written is not { } position)
        {
            return new(TargetSession.Primary, wanted.ReadAfter);
        }

        Wrote(position);
        return new(wanted.Target, Later(wanted.ReadAfter, position));
    }

    internal void Wrote(CommitPosition position)
    {
        Written = position;
        log.HasWritten = false;
    }

    /// <summary>Why work that writes cannot run under a target session.</summary>
    internal static InvalidOperationException Refusal(TargetSession target, Exception? inner)
        => new(
            $"The work writes, and the target session {target} leads to hosts that take no writes. Write outside of UseTargetSession({target}), or use "
            + $"{nameof(TargetSession.PreferStandby)}, under which writes go to the primary by themselves.",
            inner);

    void IResettableService.ResetState() => Reset();

    Task IResettableService.ResetStateAsync(CancellationToken cancellationToken)
    {
        Reset();
        return Task.CompletedTask;
    }

    private static CommitPosition? Later(CommitPosition? one, CommitPosition? other)
        => one is { } first && other is { } second ? CommitPosition.Later(first, second) : one ?? other;

    private void Reset()
    {
        _scope = null;
        Written = null;
    }

    /// <summary>What is being executed; what was before counts again when it is disposed.</summary>
    internal readonly struct Execution : IDisposable
    {
        private readonly SessionTargets _targets;
        private readonly WriteIntent _intent;
        private readonly TargetSession? _ofQuery;

        internal Execution(SessionTargets targets, WriteIntent intent, TargetSession? ofQuery)
        {
            (_targets, _intent, _ofQuery) = (targets, targets._intent, targets._ofQuery);
            (targets._intent, targets._ofQuery) = (intent, ofQuery);
        }

        public void Dispose() => (_targets._intent, _targets._ofQuery) = (_intent, _ofQuery);
    }
}
