namespace DbRetry.EFCore.Diagnostics;

/// <summary>The categories of DbRetry's log. Each event's name begins with its category, as EF Core's do: <c>LogTo</c> filters by that.</summary>
internal static class LogCategory
{
    internal const string Retry = "DbRetry.EFCore.Retry";
    internal const string Hosts = "DbRetry.EFCore.Hosts";
    internal const string Commits = "DbRetry.EFCore.Commits";
    internal const string Configuration = "DbRetry.EFCore.Configuration";
}
