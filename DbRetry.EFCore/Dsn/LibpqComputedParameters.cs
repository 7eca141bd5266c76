using System.Globalization;
using Npgsql;

namespace DbRetry.EFCore.Dsn;

/// <summary>The libpq parameters whose translation takes more than a table, because it looks at other parameters or at a number.</summary>
internal sealed class LibpqComputedParameters(SettingsWriter writer)
{
    // NpgsqlConnection.TimeoutLimit
    private const int LongestTimeout = 1024;

    private readonly Dictionary<string, string> _values = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<DsnParameter> _parameters = [];

    public void Add(DsnParameter parameter)
    {
        if (_values.TryAdd(parameter.Name, parameter.Value))
        {
            _parameters.Add(parameter);
        }
        else if (_values[parameter.Name] != parameter.Value)
        {
            throw DsnError.GivenTwice(parameter);
        }
    }

    /// <summary>To be called when all else is set.</summary>
    public void Apply()
    {
        foreach (var parameter in _parameters)
        {
            Apply(parameter);
        }
    }

    private void Apply(DsnParameter parameter)
    {
        switch (parameter.Name.ToUpperInvariant())
        {
            case "CONNECT_TIMEOUT":
                AddTimeout(parameter);
                break;
            case "FALLBACK_APPLICATION_NAME":
                writer.Settings.ApplicationName ??= parameter.Value;
                break;
            case "REQUIRE_AUTH":
                writer.Set("Require Auth", string.Join(',', parameter.Value.Split(',', StringSplitOptions.TrimEntries).Select(Method)), parameter);
                break;
            case "SSLROOTCERT":
                AddRootCertificate(parameter);
                break;
            default:
                AddKeepalive(parameter);
                break;
        }

        string Method(string word) => word is ['!', .. var name]
            ? "!" + LibpqParameters.Word(LibpqParameters.AuthenticationMethods, name, parameter)
            : LibpqParameters.Word(LibpqParameters.AuthenticationMethods, word, parameter);
    }

    // Both count seconds per host, and 0 waits for ever; libpq says so for negative numbers too.
    private void AddTimeout(DsnParameter parameter)
    {
        var seconds = Math.Max(0, Number(parameter));
        if (seconds > LongestTimeout)
        {
            throw DsnError.Parameter(parameter, $"is longer than the {LongestTimeout} seconds that Npgsql allows; 0 waits for ever");
        }

        writer.Set("Timeout", seconds, parameter);
    }

    private void AddRootCertificate(DsnParameter parameter)
    {
        if (parameter.Value != "system")
        {
            writer.Set("Root Certificate", parameter.Value, parameter);

            // With a root certificate, libpq's "require" verifies as "verify-ca" does (manual 34.19.1); Npgsql's would trust anyone.
            if (writer.Settings.SslMode == SslMode.Require)
            {
                writer.Settings.SslMode = SslMode.VerifyCA;
            }
        }
        else if (writer.Settings.RootCertificate is not null)
        {
            throw DsnError.GivenTwice(parameter);
        }
        else if (writer.Settings.ShouldSerialize("SSL Mode") && writer.Settings.SslMode != SslMode.VerifyFull)
        {
            throw DsnError.Parameter(parameter, "is 'system', which allows no weaker sslmode than verify-full");
        }
        else
        {
            // Without a file, Npgsql verifies against the system's certificates.
            writer.Settings.SslMode = SslMode.VerifyFull;
        }
    }

    private void AddKeepalive(DsnParameter parameter)
    {
        // libpq ignores the numbers when keepalives are off; Npgsql would switch them on again.
        var isOff = _values.TryGetValue("keepalives", out var on) && on == "0";
        var number = Number(parameter);
        var name = parameter.Name.ToUpperInvariant();
        if (name == "KEEPALIVES")
        {
            writer.Set("TCP Keepalive", number != 0, parameter);
        }
        else if (isOff || number <= 0)
        {
            return; // 0 is the system's default in both
        }
        else if (name == "KEEPALIVES_IDLE")
        {
            writer.Set("TCP Keepalive Time", number, parameter);
        }
        else if (writer.Settings.TcpKeepAliveTime > 0
            || (int.TryParse(_values.GetValueOrDefault("keepalives_idle"), CultureInfo.InvariantCulture, out var idle) && idle > 0))
        {
            writer.Set("TCP Keepalive Interval", number, parameter);
        }
        else
        {
            throw DsnError.Parameter(parameter, "needs keepalives_idle beside it: Npgsql sets the interval only together with the idle time");
        }
    }

    private static int Number(DsnParameter parameter) =>
        int.TryParse(parameter.Value, NumberStyles.Integer, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw DsnError.Parameter(parameter, "is no whole number");
}
