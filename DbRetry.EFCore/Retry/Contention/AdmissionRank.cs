namespace DbRetry.EFCore.Retry.Contention;

/// <summary>Who goes before whom at an <see cref="AdmissionGate"/>.</summary>
internal enum AdmissionRank
{
    /// <summary>The first attempt of a unit.</summary>
    Newcomer,

    /// <summary>A unit that lost a conflict: before the newcomers.</summary>
    Loser,

    /// <summary>A unit that lost too often: before everybody, and with nobody beside it.</summary>
    Alone,
}
