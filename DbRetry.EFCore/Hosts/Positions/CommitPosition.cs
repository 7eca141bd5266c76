using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace DbRetry.EFCore;

/// <summary>
/// A point in the history of a cluster. A host that has come as far shows everything that was committed before the position was taken.
/// </summary>
/// <remarks>
/// <para>
/// Its text form consists of digits, letters and hyphens, so it can travel in a header, a cookie or a query string: a request that wrote hands it to the
/// next one, which reads after it (<c>context.Database.UseTargetSession(target, readAfter)</c>), whichever process serves that.
/// </para>
/// <para>
/// It holds no secret. A position that somebody made up can make a read go to the primary or wait, and nothing else. One of another cluster, say after a
/// restore or an upgrade, says nothing about this one: such reads go to the primary.
/// </para>
/// </remarks>
public readonly record struct CommitPosition
{
    internal CommitPosition(long systemIdentifier, int timeline, long lsn)
    {
        SystemIdentifier = systemIdentifier;
        Timeline = timeline;
        Lsn = lsn;
    }

    /// <summary>The same on all servers of a cluster, and on no other.</summary>
    internal long SystemIdentifier { get; }

    /// <summary>Which of the cluster's histories; every promotion begins a new one.</summary>
    internal int Timeline { get; }

    /// <summary>How far in the write-ahead log.</summary>
    internal long Lsn { get; }

    /// <summary>Reads a position from its text form.</summary>
    /// <param name="text">What <see cref="ToString"/> wrote.</param>
    /// <returns>The position.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is <see langword="null"/>.</exception>
    /// <exception cref="FormatException"><paramref name="text"/> is no position.</exception>
    public static CommitPosition Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out var position)
            ? position
            : throw new FormatException("The text is no commit position. It looks like 7301234567890123456-1-15F00A0B8.");
    }

    /// <summary>Reads a position from its text form, if it is one.</summary>
    /// <param name="text">What <see cref="ToString"/> wrote, or anything else.</param>
    /// <param name="position">The position.</param>
    /// <returns>Whether it is one.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, out CommitPosition position)
    {
        position = default;
        Span<Range> parts = stackalloc Range[4];
        var span = text.AsSpan();
        if (span.Split(parts, '-') != 3
            || !ulong.TryParse(span[parts[0]], NumberStyles.None, CultureInfo.InvariantCulture, out var system)
            || !int.TryParse(span[parts[1]], NumberStyles.None, CultureInfo.InvariantCulture, out var timeline)
            || !long.TryParse(span[parts[2]], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var lsn)
            || timeline == 0
            || lsn < 0)
        {
            return false;
        }

        position = new(unchecked((long)system), timeline, lsn);
        return true;
    }

    /// <summary>The text form.</summary>
    /// <returns>The system identifier, the timeline and the WAL position, with hyphens between.</returns>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{unchecked((ulong)SystemIdentifier)}-{Timeline}-{Lsn:X}");

    /// <summary>The one that shows what both show.</summary>
    /// <remarks>
    /// A later timeline goes on where an earlier one was left. What of that lies behind the fork is lost, and nobody can wait for it.
    /// </remarks>
    internal static CommitPosition Later(CommitPosition one, CommitPosition other)
        => (one.Timeline, one.Lsn).CompareTo((other.Timeline, other.Lsn)) >= 0 ? one : other;

    /// <summary>As PostgreSQL writes it.</summary>
    internal static string Format(long lsn) => string.Create(CultureInfo.InvariantCulture, $"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}");
}
