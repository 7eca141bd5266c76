namespace DbRetry.Failover;

/// <summary>What the command line asks for.</summary>
internal sealed record Arguments(
    int Rounds, IReadOnlyList<string> Scenarios, IReadOnlyList<ClientMode> Modes, string Output, bool Append, bool Help)
{
    public static string Usage =>
        $"""
        Usage: eng/failover [--rounds N] [--scenarios A,B,…] [--patroni] [--modes A,B,…] [--output DIR]

        Plays each scenario N times on a PostgreSQL cluster of three nodes on loopback, with eight writers at work, for each mode in turn,
        and measures how long after the new primary took writes each writer was served again, what callers were told, and whether anything
        was lost or applied twice. The new primary takes writes when a write of the program's own, tried every few milliseconds, has been
        acknowledged; where the old one goes on beside it, when that ends a session of the program's. Connections are counted when the process
        begins to make them, whether a server hears of them or not. Commits wait for one standby, except where two primaries are to take
        writes at the same time: there, what only the old one had is counted apart.

          --rounds N       how often (3); 0 only shows what DIR has
          --scenarios …    which (all that need no Patroni, and steady):
        {string.Join('\n', Described())}
          --patroni        those of Patroni instead, which need etcd and Patroni; they are skipped where these are not installed
          --modes …        who retries ({string.Join(", ", ClientMode.All.Select(mode => mode.Name))}), or "{ClientMode.Told.Name}" for what the machine
                           itself takes: plain EF Core, which is told where the primary is and repeats whatever fails
          --output DIR     where the raw data and the chart go (artifacts/failover); what is there of others stays
          --append         what is there of the same scenarios and modes stays as well, and these are further rounds
          --help           this text

        Exit code: 0 with UseDbRetry() nobody saw an error and nothing was lost or applied twice; 1 somebody did or something was;
        2 wrong arguments; 3 the program itself failed; 130 interrupted. The goals for times are printed with a verdict and do not count.
        """;

    /// <summary>Null when an argument is not understood; <paramref name="unknown"/> says which.</summary>
    public static Arguments? Parse(IReadOnlyList<string> arguments, out string? unknown)
    {
        var parsed = new Arguments(
            3, [.. Catalogue.Local.Select(plan => plan.Name), Catalogue.Steady], ClientMode.All, "artifacts/failover", Append: false, Help: false);
        for (var i = 0; i < arguments.Count; i++)
        {
            unknown = arguments[i];
            var value = i + 1 < arguments.Count ? arguments[i + 1] : null;
            switch (arguments[i], value)
            {
                case ("--help" or "-h", _):
                    parsed = parsed with { Help = true };
                    continue;
                case ("--append", _):
                    parsed = parsed with { Append = true };
                    continue;
                case ("--patroni", _):
                    parsed = parsed with { Scenarios = [.. Catalogue.Patroni.Select(plan => plan.Name)] };
                    continue;
                case ("--rounds", not null) when int.TryParse(value, out var rounds) && rounds is >= 0 and <= 1_000:
                    parsed = parsed with { Rounds = rounds };
                    break;
                case ("--scenarios", not null) when value.Split(',') is var names && names.All(Catalogue.Knows):
                    parsed = parsed with { Scenarios = names };
                    break;
                case ("--modes", not null) when value.Split(',').Select(name => ClientMode.Known.FirstOrDefault(mode => mode.Name == name)).ToArray() is var modes
                    && modes.All(mode => mode is not null):
                    parsed = parsed with { Modes = modes! };
                    break;
                case ("--output", { Length: > 0 }):
                    parsed = parsed with { Output = value };
                    break;
                default:
                    return null;
            }
            i++;
        }
        unknown = null;
        return parsed;
    }

    private static IEnumerable<string> Described()
        => Catalogue.All.Select(plan => (plan.Name, plan.Title))
            .Append((Name: Catalogue.Steady, Title: "what an open costs while a host is dead or black-holed"))
            .Select(scenario => $"      {scenario.Name,-20} {scenario.Title}");
}
