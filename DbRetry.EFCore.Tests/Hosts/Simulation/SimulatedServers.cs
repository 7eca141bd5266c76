namespace DbRetry.EFCore.Tests.Hosts.Simulation;

/// <summary>Three servers that fail over, each time in another way.</summary>
internal sealed class SimulatedServers(Random random)
{
    private static readonly int[] All = [0, 1, 2];

    private readonly SimulatedServer[] _servers = [new(ServerState.Primary, 1), new(ServerState.Standby, 1), new(ServerState.Standby, 1)];
    private int _primary;

    public SimulatedServer this[int host] => _servers[host];

    /// <summary>Of the one that is the primary now, or will be at the end of the failover.</summary>
    public int Timeline { get; private set; } = 1;

    /// <summary>What happens this time, for messages.</summary>
    public string Story { get; private set; } = "nothing";

    /// <summary>Plans the next failover, and returns when all is as it was, with another primary perhaps.</summary>
    public TimeSpan FailOver(TimeSpan at)
    {
        Array.ForEach(_servers, server => server.Forget(at));
        var old = _primary;
        var others = All.Where(host => host != old).ToArray();
        random.Shuffle(others);
        var promoted = at + Seconds(0.02, random.Next(10) == 0 ? 20 : 5);
        var back = promoted + Seconds(0, 5);
        var fault = random.Next(6);
        Story = fault switch
        {
            0 => "killed",
            1 => "silent",
            2 => "demoted",
            3 => "restarted in place",
            4 => "split brain",
            _ => "silent, then gone",
        };
        switch (fault)
        {
            case 0:
                Plan(old, (at, ServerState.Down));
                break;
            case 1:
                Plan(old, (at, ServerState.Silent));
                break;
            case 2:
                Plan(old, (at, ServerState.Standby));
                break;
            case 3:
                Plan(old, (at, ServerState.Down), (at + (promoted - at) / 2, ServerState.Starting), (promoted, ServerState.Primary));
                break;
            case 4:
                Plan(old, (promoted + Seconds(0, 3), ServerState.Down));
                back = promoted + Seconds(3, 8);
                break;
            default:
                Plan(old, (at, ServerState.Silent), (at + Seconds(0, 10), ServerState.Down));
                back = Later(back, at + Seconds(10, 12));
                break;
        }

        if (fault != 3)
        {
            _primary = others[0];
            _servers[_primary].Plan(promoted, ServerState.Primary, ++Timeline);
            Plan(old, (back, ServerState.Starting), (back + Seconds(0, 0.5), ServerState.Standby));
            back += Seconds(0.5, 0.6);
        }

        return Later(back, Disturb(others[1], at));
    }

    // The third one has troubles of its own now and then.
    private TimeSpan Disturb(int host, TimeSpan at)
    {
        if (random.Next(3) != 0)
        {
            return at;
        }

        var end = at + Seconds(0, 12);
        Plan(host, (at, random.Next(2) == 0 ? ServerState.Down : ServerState.Silent), (end, ServerState.Standby));
        Story += $", and {host} is away";
        return end;
    }

    private void Plan(int host, params (TimeSpan From, ServerState State)[] phases)
        => Array.ForEach(phases, phase => _servers[host].Plan(phase.From, phase.State));

    private TimeSpan Seconds(double from, double to) => TimeSpan.FromSeconds(from + ((to - from) * random.NextDouble()));

    private static TimeSpan Later(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
