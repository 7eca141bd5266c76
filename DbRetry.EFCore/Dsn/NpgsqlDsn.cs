using Npgsql;

namespace DbRetry.EFCore.Dsn;

/// <summary>
/// Npgsql's own connection strings, read by Npgsql (a keyword given twice: the last wins, as in every ADO.NET string),
/// with errors that quote no value, which Npgsql's inner exceptions do.
/// </summary>
internal static class NpgsqlDsn
{
    private static readonly string[] SecretWords = ["password", "pwd", "psw"];

    /// <exception cref="FormatException">The string is malformed, or a keyword or its value is none of Npgsql's.</exception>
    public static NpgsqlConnectionStringBuilder Read(string text)
    {
        try
        {
            return new(text);
        }
        catch (ArgumentException exception)
        {
            // Npgsql's indexer puts the keyword there; the ADO.NET lexer puts nothing.
            throw Error(text, exception.ParamName);
        }
        catch (KeyNotFoundException)
        {
            // An empty value makes Npgsql remove the keyword, which it does not find.
            throw DsnError.Invalid("a keyword with an empty value is none of Npgsql's");
        }
    }

    private static FormatException Error(string text, string? keyword)
    {
        if (string.IsNullOrEmpty(keyword))
        {
            return DsnError.Invalid("it is no well-formed Npgsql connection string (keyword=value; a value that contains ';' or quotes is itself quoted)");
        }

        if (DsnKeywords.IsNpgsql(keyword))
        {
            return DsnError.Invalid($"the value of '{keyword}' is none that Npgsql accepts");
        }

        var position = text.IndexOf(keyword, StringComparison.OrdinalIgnoreCase);
        var mayBeNamed = DsnKeywords.LooksLikeKeyword(keyword)
            && !Array.Exists(SecretWords, word => text.AsSpan(0, Math.Max(position, 0)).Contains(word, StringComparison.OrdinalIgnoreCase));
        return DsnError.Unknown(new(keyword, string.Empty, position + 1, mayBeNamed));
    }
}
