using DbRetry.EFCore.Hosts;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts.Simulation;

/// <summary>What a server does with those who connect.</summary>
internal enum ServerState
{
    Primary,
    Standby,

    /// <summary>Nobody listens: refused within no time.</summary>
    Down,

    /// <summary>Neither yes nor no, for as long as it lasts.</summary>
    Silent,

    /// <summary>57P03.</summary>
    Starting,
}

/// <summary>A server whose life is planned.</summary>
internal sealed class SimulatedServer(ServerState state, int timeline)
{
    private static readonly TimeSpan Refusal = TimeSpan.FromMilliseconds(0.2);
    private static readonly TimeSpan RoundTrip = TimeSpan.FromMilliseconds(1);
    private static readonly NpgsqlException TimedOut = new("Exception while reading from stream", new TimeoutException());
    private static readonly PostgresException Starting = OpenSearchBed.Server(PostgresErrorCodes.CannotConnectNow);

    private readonly List<(TimeSpan From, ServerState State, int Timeline)> _life = [(TimeSpan.Zero, state, timeline)];

    /// <summary>From then on it is this, until the next plan.</summary>
    public void Plan(TimeSpan from, ServerState state, int? timeline = null)
    {
        Assert.IsTrue(_life[^1].From <= from, "A life has an order.");
        _life.Add((from, state, timeline ?? _life[^1].Timeline));
    }

    /// <summary>Forgets what is over.</summary>
    public void Forget(TimeSpan before) => _life.RemoveRange(0, Index(before));

    /// <summary>Since when it has been, without a break, what a session of this kind wants most; <see langword="null"/> if it is not.</summary>
    /// <param name="target">The kind.</param>
    /// <param name="time">When.</param>
    /// <param name="newest">Primaries on older timelines do not count.</param>
    public TimeSpan? FitsSince(TargetSession target, TimeSpan time, int newest)
    {
        TimeSpan? since = null;
        for (var i = Index(time); i >= 0 && Fits(_life[i].State, _life[i].Timeline); i--)
        {
            since = _life[i].From;
        }

        return since;

        bool Fits(ServerState state, int timeline)
            => (state is ServerState.Standby && target.Match(HostRole.Standby) is TargetSessionMatch.Fits)
                || (state is ServerState.Primary && timeline == newest && target.Match(HostRole.Primary) is TargetSessionMatch.Fits);
    }

    /// <summary>When somebody who connects now hears what, a <see cref="HostSighting"/> or an exception.</summary>
    public (TimeSpan At, object Answer) Connect(TimeSpan now, TimeSpan limit)
    {
        var i = Index(now);
        while (_life[i].State is ServerState.Silent)
        {
            if (++i == _life.Count || _life[i].From > now + limit)
            {
                return (now + limit, TimedOut);
            }
        }

        var answers = now > _life[i].From ? now : _life[i].From;
        return _life[i].State switch
        {
            ServerState.Down => (answers + Refusal, OpenSearchBed.Refused),
            ServerState.Starting => (answers + RoundTrip, Starting),
            ServerState.Primary => (answers + RoundTrip, new HostSighting(HostRole.Primary, new ServerTimeline(1, _life[i].Timeline))),
            _ => (answers + RoundTrip, new HostSighting(HostRole.Standby, null)),
        };
    }

    private int Index(TimeSpan time) => _life.FindLastIndex(phase => phase.From <= time);
}
