using DbRetry.EFCore.Dsn;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>Limits that hold for each of several hosts.</summary>
internal static class HostLimits
{
    /// <summary>Npgsql gives every host the whole <c>Timeout</c>; 0 there means none at all.</summary>
    internal static NpgsqlConnectionStringBuilder LimitTimeout(this NpgsqlConnectionStringBuilder settings, TimeSpan hostTimeout)
    {
        var seconds = (int)Math.Ceiling(hostTimeout.TotalSeconds);
        settings.Timeout = settings.Timeout == 0 ? seconds : Math.Min(settings.Timeout, seconds);
        return settings;
    }

    /// <summary>Leaves out the second way to connect that Npgsql tries after any failure of the first, unless the application asked for it.</summary>
    /// <remarks>
    /// The second try gets what is left of the time. After a silence that is less than a millisecond, which becomes 0, which is no limit: a synchronous open
    /// then waits for ever (npgsql 10.0.0, NpgsqlConnector.cs, OpenCore; NpgsqlReadBuffer.cs, Timeout; Hosts/UnreachableHostTests).
    /// </remarks>
    internal static NpgsqlConnectionStringBuilder WithoutSecondTry(this NpgsqlConnectionStringBuilder settings)
    {
        if (!settings.ShouldSerialize("GSS Encryption Mode"))
        {
            settings.GssEncryptionMode = GssEncryptionMode.Disable;
        }

        return settings;
    }

    /// <summary>Lets the kernel notice a peer that is gone, unless the application said how: Linux would wait for two hours. Unix sockets need none.</summary>
    internal static NpgsqlConnectionStringBuilder WithKeepalive(this NpgsqlConnectionStringBuilder settings, HostEndpoint host)
    {
        if (!host.IsUnixSocket
            && !settings.ShouldSerialize("TCP Keepalive")
            && !settings.ShouldSerialize("TCP Keepalive Time")
            && !settings.ShouldSerialize("TCP Keepalive Interval"))
        {
            (settings.TcpKeepAlive, settings.TcpKeepAliveTime, settings.TcpKeepAliveInterval) = (true, 5, 2);
        }

        return settings;
    }

    /// <summary>Npgsql has one <c>Timeout</c> for connecting and for waiting for a place in the pool; 0 is no limit.</summary>
    internal static TimeSpan PoolTimeout(this NpgsqlConnectionStringBuilder settings)
        => settings.Timeout == 0 ? TimeSpan.MaxValue : TimeSpan.FromSeconds(settings.Timeout);
}
