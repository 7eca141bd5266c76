using System.Security.Authentication;
using DbRetry.EFCore.Hosts.Positions;
using DbRetry.EFCore.Hosts.Probing;
using DbRetry.EFCore.Retry;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>What to do next while a connection is being opened.</summary>
internal enum OpenStep
{
    /// <summary>Connect to <see cref="OpenSearch.Host"/>.</summary>
    Try,

    /// <summary>No host will do now: wait for news, or for <see cref="OpenSearch.Delay"/>, then ask again.</summary>
    Wait,

    /// <summary>Begin anew with <see cref="HostRoute.Latest"/>: the hosts have other addresses now.</summary>
    Elsewhere,

    /// <summary>Give up with <see cref="OpenSearch.Error"/>.</summary>
    Fail,
}

/// <summary>
/// One search for a host that fits, in as many passes over the cluster as its time allows. Only decides; connecting and waiting is left to
/// <see cref="HostOpener"/>, whose synchronous and asynchronous forms share it.
/// </summary>
internal sealed class OpenSearch(HostRoute route, TargetSession target, RetrySettings settings, AttemptLog log, TimeProvider time, Random random)
{
    // A timer may be early by a little; what is left then is not worth another wait.
    private static readonly TimeSpan PoolSlack = TimeSpan.FromMilliseconds(100);

    // Whatever the prober may miss, each one looks for himself now and then.
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(1);

    private const int NoHost = -1;

    private readonly long _startedAt = time.GetTimestamp();
    private long _triedAt;
    private int _steady = NoHost;
    private bool _started;
    private OpenDetour? _detour;

    private OpenDetour Detour => _detour ??= new();

    /// <summary>The host to connect to, as an index into the cluster.</summary>
    internal int Host { get; private set; }

    /// <summary>How long to wait at most. Where hosts are probed that is a long time: to look again oneself is what the prober is there to avoid.</summary>
    internal TimeSpan Delay => Detour.Delay;

    /// <summary>How long to wait at least, from the second time on: news of a host that fits was in vain, say because it has no place left.</summary>
    internal TimeSpan Rest => Detour.Rest;

    internal Exception? Error => _detour?.Error;

    internal OpenStep Next()
    {
        if (Error is not null)
        {
            return OpenStep.Fail;
        }

        if (!_started)
        {
            _started = true;
            _steady = SteadyHost();
            if (_steady >= 0)
            {
                return Try(_steady);
            }
        }

        if (Detour.Again)
        {
            Detour.Again = false;
            return Try(Host);
        }

        if (Detour.Pass.Length == 0)
        {
            if (Detour.HasWaited && route.Latest != route)
            {
                return OpenStep.Elsewhere;
            }

            if (WaitsFirst())
            {
                Detour.WaitingSince = time.GetTimestamp();
                return Wait(settings.FailoverTimeout - (Detour.FirstFailureAt is null ? TimeSpan.Zero : time.GetElapsedTime(WaitingSince())));
            }

            BeginPass();
        }

        return Detour.NextInPass < Detour.Pass.Length && !IsEnough() ? Try(Detour.Pass[Detour.NextInPass++]) : EndPass();
    }

    /// <summary>Whether what the open connection to <see cref="Host"/> reported may be believed; otherwise the server is to be asked.</summary>
    /// <remarks>
    /// A host that was not the primary until now has to tell its timeline: it may be one that was replaced and does not know it. Of several hosts, the one
    /// that is known as the primary has been asked since anybody lost it.
    /// </remarks>
    internal bool Believes(HostRole? reported)
        => (!log.NeedsProof || (route.Cluster.Primary == Host && route.Cluster.Hosts.Length > 1))
            && target.Believes(reported)
            && !(reported is HostRole.Primary && target.IsForPrimary() && route.Cluster.Primary != Host)
            && (target is TargetSession.Any || reported is not { } role || IsPlausible(role, route.Cluster[Host].Role));

    /// <summary>Whether the open connection to <see cref="Host"/> may be used.</summary>
    /// <param name="sighting">What it is; <see langword="null"/> when nobody asked, because any will do.</param>
    internal bool Accepts(HostSighting? sighting)
    {
        if (sighting is not { } seen)
        {
            route.Cluster.Prober.Seen(null);
            route.Served(Host);
            return true;
        }

        var known = route.Cluster.Saw(Host, seen);
        switch (target.Match(known))
        {
            case TargetSessionMatch.Fits:
            case TargetSessionMatch.Acceptable when _detour is { Settles: true }:
                route.Served(Host);
                return true;
            case TargetSessionMatch.Acceptable:
                Detour.Acceptable ??= Host;
                break;
            case TargetSessionMatch.Unfit:
                route.LeadsAstray(Host);
                break;
        }

        Note($"it is {known.Describe()}", null);
        return false;
    }

    /// <summary>Whether <see cref="Host"/>, whose role was accepted, has come as far as it must.</summary>
    /// <param name="position">How far that is.</param>
    /// <param name="state">How far it is; <see langword="null"/> if it does not tell.</param>
    internal bool Shows(CommitPosition position, ReplayState? state)
    {
        var whyNot = state is { } known ? known.WhyNot(position)
            : route.Cluster[Host].Role is HostRole.Primary or HostRole.ReadOnlyPrimary ? null
            : "it does not tell how far it has replayed";
        if (whyNot is not null)
        {
            Note(whyNot, null);
        }

        return whyNot is null;
    }

    /// <summary>Takes in that <see cref="Host"/> could not be connected to.</summary>
    internal void Failed(Exception exception)
    {
        var failure = FailureClassifier.Classify(exception, AttemptPhase.Opening, connectionBroken: true, settings.Rules);
        if (failure.Kind is FailureKind.Cancelled)
        {
            Detour.Error = exception;
        }
        else if (ClientShapes.IsPoolExhausted(failure.Deciding) && time.GetElapsedTime(_startedAt) < route.PoolTimeout - PoolSlack)
        {
            // Npgsql has one Timeout for connecting and for waiting for a place in the pool. Ours is shortened for the former only.
            Detour.Again = true;
        }
        else if (failure.Kind is FailureKind.Permanent)
        {
            // The host answered, and that counts unless it is one that must not serve this session anyway.
            if (MayBeBehind(failure))
            {
                Detour.Missing ??= exception;
                Detour.MissingOn++;
            }
            else if (route.Cluster[Host].Role is not { } role || target.Match(role) is not TargetSessionMatch.Unfit)
            {
                Detour.Permanent ??= Naming(exception, failure);
            }

            Note(failure.Reason, exception);
        }
        else
        {
            if (route.Cluster[Host].AvoidUntil is null)
            {
                route.ClearPool(Host);
            }

            route.Cluster.Failed(Host, stalled: time.GetElapsedTime(_triedAt) >= Cluster.Stall, time);
            Note(failure.Reason, exception);
        }
    }

    // A standby may not have replayed that the database was created. Whoever was served knows that it exists; anybody else has most likely misspelt it.
    private bool MayBeBehind(Failure failure)
        => failure.SqlState == PostgresErrorCodes.InvalidCatalogName && route is { HasServed: true, Cluster.Hosts.Length: > 1 }
            && route.Cluster[Host].Role is null or HostRole.Standby;

    // What a failed handshake throws does not say whose certificate it was.
    private Exception Naming(Exception exception, Failure failure)
        => failure.Deciding is AuthenticationException && route.Cluster.Hosts.Length > 1
            ? new NpgsqlException($"{route.NameOf(Host)}: {failure.Reason}.", exception)
            : exception;

    // In the steady state there is nothing to order: a write goes to the host that took the last one.
    private int SteadyHost()
        => target.IsForPrimary()
            ? route.Cluster.Primary
            : route.Cluster.Hosts.Length == 1 ? 0 : NoHost;

    // Who needs the one primary and does not know it leaves the looking to the prober: it asks all hosts at once, and for everybody who waits.
    private bool WaitsFirst()
        => !Detour.HasWaited && target.IsForPrimary() && route is { CanProbe: true, Cluster.Hosts.Length: > 1 }
            && settings.MaxRetryCount > 0 && settings.FailoverTimeout > TimeSpan.Zero;

    // A connection may have been opened before its host was promoted, which others know already. And one that does not fit would be put back into its pool
    // unused: if it is dead, its host may be a standby by now, and it says the same to whoever comes next.
    private bool IsPlausible(HostRole role, HostRole? known)
        => target.Match(role) is TargetSessionMatch.Fits ? role is not HostRole.Standby || known is null or HostRole.Standby : role == known;

    // Where a second choice is at hand, nobody is kept from it by hosts that failed a moment ago: when their time is over, they come first again.
    private bool IsEnough() => Detour.Acceptable is not null && !Detour.Settles && route.Cluster[Detour.Pass[Detour.NextInPass]].IsAvoided(time.GetTimestamp());

    private void BeginPass()
    {
        Detour.NextInPass = 0;
        if (Detour.HasWaited && target.IsForPrimary() && route.Cluster.Primary is >= 0 and var primary)
        {
            // That is what was waited for; and if it is not, there is more to wait for.
            Detour.Pass = [primary];
            _steady = NoHost;
            Detour.Permanent = null;
            Detour.MissingOn = 0;
            return;
        }

        Detour.Pass = SecondLook.Beside(route.Cluster.Candidates(target, time, random), route, target, settings.HostTimeout, time);
        if (_steady is >= 0 and var steady)
        {
            // The first pass began with it.
            Detour.Pass = Array.FindAll(Detour.Pass, host => host != steady);
            _steady = NoHost;
            return;
        }

        Detour.Acceptable = null;
        Detour.Settles = false;
        Detour.Permanent = null;
        Detour.MissingOn = 0;
    }

    private OpenStep EndPass()
    {
        if (Detour.Acceptable is { } acceptable && !Detour.Settles)
        {
            Detour.Settles = true;
            return Try(acceptable);
        }

        if (Detour.Permanent is not null)
        {
            return Fail(Detour.Permanent);
        }

        if (Detour.MissingOn == route.Cluster.Hosts.Length)
        {
            return Fail(Detour.Missing!);
        }

        var left = settings.FailoverTimeout - time.GetElapsedTime(WaitingSince());
        if (settings.MaxRetryCount == 0 || left <= TimeSpan.Zero)
        {
            return GiveUp();
        }

        return Wait(left);
    }

    private OpenStep Wait(TimeSpan left)
    {
        var delay = RetryDelays.Next(settings, FailureKind.HostUnavailable, ++Detour.Waits, random.NextDouble());
        Detour.Rest = Detour.Waits > 1 ? delay : TimeSpan.Zero;
        delay = route.CanProbe ? LongestWait : delay;
        Detour.Delay = delay < left ? delay : left;
        Detour.HasWaited = true;
        Detour.Pass = [];
        return OpenStep.Wait;
    }

    // The time that is spent here is the unit's. Outside a unit nobody else counts the time, and what an earlier open spent does not matter any more.
    private long WaitingSince()
    {
        if (!log.IsRunning)
        {
            return Detour.FirstFailureAt!.Value;
        }

        log.Failed(Detour.FirstFailureAt!.Value);
        return log.FirstFailureAt!.Value;
    }

    // A host that was left out because it did not answer lately may do so now, and the caller shall hear of every one.
    private OpenStep GiveUp()
    {
        Detour.Pass = [.. Enumerable.Range(0, route.Cluster.Hosts.Length).Where(host => !Detour.Failures.ContainsKey(host))];
        Detour.NextInPass = 0;
        return Detour.Pass.Length == 0 ? Fail(Unsuitable()) : Try(Detour.Pass[Detour.NextInPass++]);
    }

    private OpenStep Try(int host)
    {
        Host = host;
        route.Cluster.Trying(host, time);
        _triedAt = time.GetTimestamp();
        return OpenStep.Try;
    }

    private OpenStep Fail(Exception error)
    {
        Detour.Error = error;
        return OpenStep.Fail;
    }

    private void Note(string reason, Exception? exception)
    {
        Detour.FirstFailureAt ??= Detour.WaitingSince ?? time.GetTimestamp();
        Detour.Failures[Host] = new HostFailure(route.NameOf(Host), reason, exception);
    }

    // A single host that cannot be reached speaks for itself: the driver's own error is the one that people know.
    private Exception Unsuitable()
        => route.Cluster.Hosts.Length == 1 && Detour.Failures[0].Error is { } only
            ? only
            : new NoSuitableHostException(target, [.. Detour.Failures.Values]);
}
