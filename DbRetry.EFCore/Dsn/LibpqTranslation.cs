using System.Collections.Immutable;
using System.Net;
using Npgsql;

namespace DbRetry.EFCore.Dsn;

/// <summary>
/// Turns the parameters of a URI or of a keyword/value string into Npgsql's, by <see cref="LibpqParameters"/>. Npgsql's
/// keywords are taken too, since people add <c>Pooling=false</c> to a URI. An empty value is a value not given, as in both.
/// A parameter given twice must say the same twice; hosts and ports add up to lists.
/// </summary>
internal sealed class LibpqTranslation
{
    private readonly SettingsWriter _writer = new();
    private readonly LibpqComputedParameters _computed;
    private readonly List<string> _hosts = [];
    private readonly List<string> _ports = [];
    private readonly List<string> _addresses = [];

    private LibpqTranslation() => _computed = new(_writer);

    /// <exception cref="FormatException">A parameter is unknown, has no equal in Npgsql, or has a bad value.</exception>
    public static (NpgsqlConnectionStringBuilder Settings, ImmutableArray<HostEndpoint> Hosts) Translate(IEnumerable<DsnParameter> parameters)
    {
        var translation = new LibpqTranslation();
        foreach (var parameter in parameters)
        {
            if (!DsnKeywords.IsKnown(parameter.Name))
            {
                throw DsnError.Unknown(parameter);
            }

            if (parameter.Value.Length > 0)
            {
                translation.Add(parameter);
            }
        }

        translation._computed.Apply();
        return (translation._writer.Settings, translation.Hosts());
    }

    private void Add(DsnParameter parameter)
    {
        var (name, value) = (parameter.Name, parameter.Value);
        if (LibpqParameters.Renamed.TryGetValue(name, out var keyword))
        {
            _writer.Set(keyword, value, parameter);
        }
        else if (LibpqParameters.Choices.TryGetValue(name, out var choice))
        {
            _writer.Set(choice.Keyword, LibpqParameters.Word(choice.Words, value, parameter), parameter);
        }
        else if (LibpqParameters.WithoutEqual.TryGetValue(name, out var foreign))
        {
            if (!foreign.Harmless.Contains(value, StringComparer.OrdinalIgnoreCase))
            {
                throw DsnError.Parameter(parameter, $"cannot be honoured: {foreign.Reason}");
            }
        }
        else if (LibpqParameters.Contains(name) || DsnKeywords.IsHostList(name))
        {
            AddToListOrCompute(parameter);
        }
        else
        {
            _writer.Set(name, value, parameter);
        }
    }

    private void AddToListOrCompute(DsnParameter parameter)
    {
        var list = parameter.Name.ToUpperInvariant() switch
        {
            "HOST" or "SERVER" => _hosts,
            "HOSTADDR" => _addresses,
            "PORT" => _ports,
            _ => null,
        };

        if (list is not null)
        {
            list.Add(parameter.Value);
        }
        else
        {
            _computed.Add(parameter);
        }
    }

    private ImmutableArray<HostEndpoint> Hosts()
    {
        if (_addresses.Count > 0)
        {
            if (_hosts.Count > 0)
            {
                throw DsnError.Invalid("it has both host and hostaddr, but Npgsql cannot connect to one and verify the other");
            }

            if (!Array.TrueForAll(string.Join(',', _addresses).Split(','), address => IPAddress.TryParse(address.Trim(), out _)))
            {
                throw DsnError.Invalid("hostaddr holds something that is no IP address");
            }
        }

        var hosts = _hosts.Count > 0 ? _hosts : _addresses;
        return hosts.Count > 0
            ? HostList.FromLibpq(string.Join(',', hosts), string.Join(',', _ports))
            : throw ParsedDsn.NoHost();
    }
}
