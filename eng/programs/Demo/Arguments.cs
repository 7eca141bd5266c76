namespace DbRetry.Demo;

/// <summary>What the command line asks for.</summary>
internal sealed record Arguments(IReadOnlyList<RetryMode> Modes, bool Help)
{
    public const string Usage =
        """
        Usage: eng/demo [--stock | --compare]

        Starts a PostgreSQL cluster of three nodes on loopback, lets concurrent callers place orders and transfer
        money, and meanwhile ends sessions, kills a backend, and kills the primary and promotes a standby.

          (nothing)    with UseDbRetry()
          --stock      with EF's own EnableRetryOnFailure()
          --compare    both in turn, each on a fresh cluster, and one table
          --help       this text

        Exit code: 0 nothing was lost or duplicated; 1 something was (--compare: with UseDbRetry());
        2 wrong arguments; 3 the demo itself failed; 130 interrupted.
        """;

    /// <summary>Null when an argument is not understood; <paramref name="unknown"/> says which.</summary>
    public static Arguments? Parse(IReadOnlyList<string> arguments, out string? unknown)
    {
        unknown = null;
        switch (arguments)
        {
            case []:
                return new([RetryMode.DbRetry], Help: false);
            case ["--stock"]:
                return new([RetryMode.Stock], Help: false);
            case ["--compare"]:
                // Ours first: what the second run gains from warm code goes to the other side.
                return new([RetryMode.DbRetry, RetryMode.Stock], Help: false);
            case ["--help" or "-h"]:
                return new([], Help: true);
            default:
                unknown = string.Join(' ', arguments);
                return null;
        }
    }
}
