using Npgsql;

namespace DbRetry.EFCore.Dsn;

/// <summary>Npgsql settings in the making, each of which can be set only once, under whichever name.</summary>
internal sealed class SettingsWriter
{
    public NpgsqlConnectionStringBuilder Settings { get; } = [];

    /// <exception cref="FormatException">Npgsql does not take the value, or the setting has another value already.</exception>
    public void Set(string keyword, object value, DsnParameter parameter)
    {
        var count = Settings.Count;
        Settings.TryGetValue(keyword, out var before);
        try
        {
            Settings[keyword] = value;
        }
        catch (ArgumentException)
        {
            throw DsnError.Parameter(parameter, "has a value that Npgsql does not accept");
        }

        // The count stays when the keyword was there, under whichever alias.
        Settings.TryGetValue(keyword, out var after);
        if (Settings.Count == count && !Equals(before, after))
        {
            throw DsnError.GivenTwice(parameter);
        }
    }
}
