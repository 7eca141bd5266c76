using System.Data.Common;

namespace DbRetry.EFCore.Dsn;

/// <summary>Tells the forms of a DSN apart.</summary>
/// <remarks>
/// A URI shows by its scheme, a named string by EF Core's own test. The two pair forms overlap: <c>host=a</c> is both,
/// <c>host=a port=1</c> is also an Npgsql string with the odd host "a port=1", and <c>password=p;Host=b host=a</c> a libpq
/// string with the odd password "p;Host=b". So both readings are made and the likelier one is taken: one whose keywords are
/// all known, whose values (other than free text) hold no trace of the other form's separators, and that names a host. In a tie it is
/// an Npgsql string, which is left alone.
/// </remarks>
internal static class DsnFormatDetector
{
    private enum Likelihood
    {
        None,
        WithoutHost,
        WithHost,
    }

    public static DsnFormat Detect(string dsn)
    {
        if (UriDsn.HasScheme(dsn))
        {
            return DsnFormat.Uri;
        }

        var equals = dsn.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0 || !DsnKeywords.LooksLikeKeyword(dsn[..equals].Trim()))
        {
            return DsnFormat.Unrecognized;
        }

        if (IsNamed(dsn, equals))
        {
            return DsnFormat.Named;
        }

        var npgsql = AsNpgsql(dsn);
        var keyValue = AsKeyValue(dsn);
        return npgsql == Likelihood.None && keyValue == Likelihood.None
            ? LooksLike(dsn.AsSpan(equals + 1))
            : npgsql >= keyValue ? DsnFormat.Npgsql : DsnFormat.KeyValue;
    }

    // NamedConnectionStringResolverBase.TryGetConnectionName of EF Core 10: a single equals sign, after "name".
    private static bool IsNamed(string dsn, int equals) =>
        dsn.IndexOf('=', equals + 1) < 0 && dsn.AsSpan(0, equals).Trim().Equals("name", StringComparison.OrdinalIgnoreCase);

    private static Likelihood AsNpgsql(string dsn)
    {
        var pairs = new DbConnectionStringBuilder();
        try
        {
            pairs.ConnectionString = dsn;
        }
        catch (ArgumentException)
        {
            return Likelihood.None;
        }

        var hasHost = false;
        foreach (string name in pairs.Keys)
        {
            var value = (string)pairs[name];
            var isHost = DsnKeywords.IsHostList(name);
            if (!DsnKeywords.IsNpgsql(name)
                || (!DsnKeywords.IsFreeText(name) && HoldsKeyValuePair(value))
                || (isHost && !HostList.IsPlausible(value)))
            {
                return Likelihood.None;
            }

            hasHost |= isHost;
        }

        return hasHost ? Likelihood.WithHost : Likelihood.WithoutHost;
    }

    private static Likelihood AsKeyValue(string dsn)
    {
        List<DsnParameter> pairs;
        try
        {
            pairs = KeyValueDsn.Read(dsn);
        }
        catch (FormatException)
        {
            return Likelihood.None;
        }

        var hasHost = false;
        foreach (var pair in pairs)
        {
            if (!DsnKeywords.IsKnown(pair.Name)
                || (!DsnKeywords.IsFreeText(pair.Name) && pair.Value.Contains(';', StringComparison.Ordinal)))
            {
                return Likelihood.None;
            }

            hasHost |= DsnKeywords.IsHostList(pair.Name) || pair.Name.Equals("hostaddr", StringComparison.OrdinalIgnoreCase);
        }

        return hasHost ? Likelihood.WithHost : Likelihood.WithoutHost;
    }

    // Whether " keyword =" occurs in it.
    private static bool HoldsKeyValuePair(string value)
    {
        for (var equals = value.IndexOf('=', StringComparison.Ordinal); equals >= 0; equals = value.IndexOf('=', equals + 1))
        {
            var before = value.AsSpan(0, equals).TrimEnd();
            var blank = before.LastIndexOfAny(' ', '\t', '\n');
            if (blank >= 0 && DsnKeywords.IsKnown(before[(blank + 1)..].ToString()))
            {
                return true;
            }
        }

        return false;
    }

    // No valid reading: the one whose error helps more. A libpq string has a blank before its second keyword, the other a semicolon.
    private static DsnFormat LooksLike(ReadOnlySpan<char> afterEquals)
    {
        var rest = afterEquals.Trim();
        var semicolon = rest.IndexOf(';');
        var first = semicolon < 0 ? rest : rest[..semicolon];
        return first.ContainsAny(" \t\r\n") && (semicolon < 0 || first.Contains('=')) ? DsnFormat.KeyValue : DsnFormat.Npgsql;
    }
}
