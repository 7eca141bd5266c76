namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>The two ends of a connection, in the protocol's own words.</summary>
internal enum Sender
{
    Frontend,
    Backend,
}
