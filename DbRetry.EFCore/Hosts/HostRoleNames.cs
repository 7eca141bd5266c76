namespace DbRetry.EFCore.Hosts;

/// <summary>How roles are called.</summary>
internal static class HostRoleNames
{
    /// <summary>In words for a sentence.</summary>
    internal static string Describe(this HostRole role)
        => role switch
        {
            HostRole.Primary => "a primary that accepts writes",
            HostRole.ReadOnlyPrimary => "a primary with default_transaction_read_only = on",
            HostRole.SupersededPrimary => "a superseded primary: a primary with a higher timeline has taken its place",
            _ => "a standby (in recovery)",
        };

    /// <summary>As telemetry spells it.</summary>
    internal static string TelemetryName(this HostRole role)
        => role switch
        {
            HostRole.Primary => "primary",
            HostRole.ReadOnlyPrimary => "read_only_primary",
            HostRole.SupersededPrimary => "superseded_primary",
            _ => "standby",
        };
}
