using DbRetry.EFCore.Dsn;

namespace DbRetry.EFCore.Hosts.Targets;

/// <summary>The target session of a single query. It travels as a tag, which EF keeps with the query and writes in front of its text as a comment.</summary>
internal static class QueryTarget
{
    private const string Prefix = "dbretry-target-session: ";
    private const string CommentStart = "-- ";

    internal static string Tag(TargetSession target) => Prefix + TargetSessionNames.Format(target);

    /// <summary>What the comments in front of a text ask for; of several, the last one, which was added last.</summary>
    internal static TargetSession? Find(ReadOnlySpan<char> text)
    {
        TargetSession? found = null;
        while (text.StartsWith(CommentStart, StringComparison.Ordinal))
        {
            var end = text.IndexOf('\n');
            var line = (end < 0 ? text : text[..end])[CommentStart.Length..].TrimEnd('\r');
            if (line.StartsWith(Prefix, StringComparison.Ordinal) && TargetSessionNames.TryParse(line[Prefix.Length..].ToString(), out var target))
            {
                found = target;
            }

            text = end < 0 ? [] : text[(end + 1)..];
        }

        return found;
    }
}
