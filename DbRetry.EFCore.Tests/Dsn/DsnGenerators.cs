using FsCheck;
using FsCheck.Fluent;

namespace DbRetry.EFCore.Tests.Dsn;

/// <summary>What a DSN says, before it is written in one of the forms. Ports are as many as hosts.</summary>
internal sealed record DsnFacts(string[] Hosts, int[] Ports, string User, string Password, string Database, string ApplicationName)
{
    public override string ToString() => $"{string.Join(',', Hosts.Zip(Ports))} <{User}> <{Password}> <{Database}> <{ApplicationName}>";
}

internal static class DsnGenerators
{
    private const string Awkward = " ;='\"\\%&?#@:/,+[]{}$!~<>|`^*()aZ0_-.é€😀\t\n";

    public static Arbitrary<DsnFacts> Facts { get; } = (
        from count in Gen.Choose(1, 4)
        from hosts in Gen.ArrayOf(Host, count)
        from ports in Gen.ArrayOf(Gen.Choose(1, 65535), count)
        from user in Text
        from password in Text
        from database in Text
        from applicationName in Text
        select new DsnFacts(hosts, ports, user, password, database, applicationName)).ToArbitrary();

    /// <summary>Passwords long enough that they cannot occur in a message by chance.</summary>
    public static Arbitrary<string> Passwords { get; } = (
        from before in Text
        from after in Text
        select $"{before}Xq7{after}Zw9").ToArbitrary();

    private static Gen<string> Host => Gen.Frequency(
        (6, Gen.Elements("localhost", "db-1.example.org", "10.0.0.1", "x", "DB")),
        (2, Gen.Elements("::1", "fe80::1%1", "2001:db8::5432")),
        (2, Gen.Elements("/tmp", "/var/run/postgresql", "@abstract", "/odd dir=x'\"%\\")));

    // A line break at the end is what no connection string can carry.
    private static Gen<string> Text =>
        (from text in Gen.NonEmptyListOf(Gen.Elements(Awkward.EnumerateRunes().Select(rune => rune.ToString()).ToArray()))
         select string.Concat(text)).Where(text => !text.EndsWith('\n'));
}
