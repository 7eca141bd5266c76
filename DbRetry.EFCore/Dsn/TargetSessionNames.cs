namespace DbRetry.EFCore.Dsn;

/// <summary>
/// The spellings of <see cref="TargetSession"/>. libpq and Npgsql 10 write the same words; <c>prefer-primary</c> is
/// Npgsql's alone, and only Npgsql ignores the case (NpgsqlConnectionStringBuilder.TargetSessionAttributes).
/// </summary>
internal static class TargetSessionNames
{
    public static string Format(TargetSession session) => session switch
    {
        TargetSession.Any => "any",
        TargetSession.ReadWrite => "read-write",
        TargetSession.ReadOnly => "read-only",
        TargetSession.Primary => "primary",
        TargetSession.Standby => "standby",
        TargetSession.PreferPrimary => "prefer-primary",
        TargetSession.PreferStandby => "prefer-standby",
        _ => throw new ArgumentOutOfRangeException(nameof(session), session, "This is no target session."),
    };

    public static bool TryParse(string? name, out TargetSession session)
    {
        foreach (var candidate in Enum.GetValues<TargetSession>())
        {
            if (string.Equals(name, Format(candidate), StringComparison.OrdinalIgnoreCase))
            {
                session = candidate;
                return true;
            }
        }

        session = default;
        return false;
    }
}
