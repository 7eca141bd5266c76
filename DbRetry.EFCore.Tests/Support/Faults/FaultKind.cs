namespace DbRetry.EFCore.Tests.Support.Faults;

internal enum FaultKind
{
    Cut,
    Reset,
    BlackHole,
    Delay,
}
