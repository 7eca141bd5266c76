using System.Data.Common;

namespace DbRetry.EFCore;

/// <summary>None of the hosts could serve the wanted session within the time that was allowed.</summary>
/// <remarks>Nothing was sent on behalf of the caller: running the work again later is safe.</remarks>
public sealed class NoSuitableHostException : DbException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="target">The session that was wanted.</param>
    /// <param name="hosts">Every host that was looked at, and why it was passed over.</param>
    /// <exception cref="ArgumentNullException"><paramref name="hosts"/> is <see langword="null"/>.</exception>
    public NoSuitableHostException(TargetSession target, IReadOnlyList<HostFailure> hosts)
        : base(Describe(target, hosts), Errors(hosts))
    {
        Target = target;
        Hosts = [.. hosts];
    }

    /// <summary>The session that was wanted.</summary>
    public TargetSession Target { get; }

    /// <summary>Every host that was looked at, and why it was passed over.</summary>
    public IReadOnlyList<HostFailure> Hosts { get; }

    /// <summary>Always <see langword="true"/>: a host may come back or change its role at any time.</summary>
    public override bool IsTransient => true;

    private static string Describe(TargetSession target, IReadOnlyList<HostFailure> hosts)
    {
        ArgumentNullException.ThrowIfNull(hosts);
        return hosts.Count == 0
            ? $"No host is known that could serve a session of the kind {target}."
            : $"No host can serve a session of the kind {target}: {string.Join("; ", hosts.Select(host => $"{host.Host} ({host.Reason})"))}.";
    }

    private static Exception? Errors(IReadOnlyList<HostFailure> hosts)
    {
        var errors = hosts.Select(host => host.Error).OfType<Exception>().ToList();
        return errors.Count switch
        {
            0 => null,
            1 => errors[0],
            _ => new AggregateException(errors),
        };
    }
}
