namespace DbRetry.EFCore.Hosts;

/// <summary>Which target session holds where several places may name one.</summary>
internal static class DefaultTarget
{
    /// <remarks>
    /// Several hosts without a word on the target mean a cluster that is written to: any host would do for Npgsql, but two of three would
    /// refuse the first write.
    /// </remarks>
    internal static TargetSession Resolve(TargetSession? option, TargetSession? dsn, int hosts)
        => option ?? dsn ?? (hosts > 1 ? TargetSession.ReadWrite : TargetSession.Any);
}
