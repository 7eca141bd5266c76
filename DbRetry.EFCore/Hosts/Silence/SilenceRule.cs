namespace DbRetry.EFCore.Hosts.Silence;

/// <summary>What to find out about a host while commands wait for its answers.</summary>
internal enum Suspicion
{
    /// <summary>Nothing: it answers, or nobody has waited for long.</summary>
    None,

    /// <summary>Whether it still answers anybody.</summary>
    Silent,

    /// <summary>Whether another host has taken its place: it answers, but keeps somebody waiting.</summary>
    Replaced,
}

/// <summary>When a host is asked whether it is still there. Slow commands are the rule and dead hosts the exception, so the questions become rare.</summary>
internal static class SilenceRule
{
    /// <summary>A command that has waited for less raises no suspicion.</summary>
    internal static readonly TimeSpan FirstPatience = TimeSpan.FromMilliseconds(250);

    /// <summary>However long a command has run, the host is asked this often while it answers nobody.</summary>
    internal static readonly TimeSpan LastPatience = TimeSpan.FromSeconds(5);

    /// <summary>The same for a host that answers others.</summary>
    internal static readonly TimeSpan FirstLookAround = TimeSpan.FromSeconds(2);

    /// <inheritdoc cref="FirstLookAround"/>
    internal static readonly TimeSpan LastLookAround = TimeSpan.FromSeconds(30);

    /// <param name="waiting">How long the oldest command waits.</param>
    /// <param name="sinceAnswer">How long ago the host last answered anybody, a probe included.</param>
    /// <param name="sinceLookAround">How long ago its place was last looked for elsewhere.</param>
    internal static Suspicion Judge(TimeSpan waiting, TimeSpan sinceAnswer, TimeSpan sinceLookAround)
    {
        var quiet = waiting < sinceAnswer ? waiting : sinceAnswer;
        return quiet >= Between(FirstPatience, waiting / 4, LastPatience) ? Suspicion.Silent
            : waiting >= FirstLookAround && sinceLookAround >= Between(FirstLookAround, waiting / 2, LastLookAround) ? Suspicion.Replaced
            : Suspicion.None;
    }

    private static TimeSpan Between(TimeSpan least, TimeSpan value, TimeSpan most) => value < least ? least : value > most ? most : value;
}
