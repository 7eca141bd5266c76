using System.Text;

namespace DbRetry.EFCore.Dsn;

/// <summary>
/// The lexer of libpq's keyword/value strings (PostgreSQL manual 34.1.1.1; fe-connect.c, <c>conninfo_parse</c>): pairs
/// separated by white space, values bare or in single quotes, a backslash taking the next character literally in both.
/// </summary>
internal static class KeyValueDsn
{
    /// <exception cref="FormatException">An equals sign or a closing quote is missing.</exception>
    public static List<DsnParameter> Read(string text)
    {
        var parameters = new List<DsnParameter>();
        var afterSecret = false;
        var next = SkipBlanks(text, 0);
        while (next < text.Length)
        {
            var start = next;
            while (next < text.Length && text[next] != '=' && !char.IsWhiteSpace(text[next]))
            {
                next++;
            }

            var name = text[start..next];
            next = SkipBlanks(text, next);
            if (name.Length == 0 || next == text.Length || text[next] != '=')
            {
                throw DsnError.Malformed(
                    "a name=value pair is expected (a value with spaces needs single quotes; \\ and ' in a value need a backslash before them)",
                    start + 1);
            }

            next = SkipBlanks(text, next + 1);
            var value = next < text.Length && text[next] == '\'' ? Quoted(text, ref next) : Bare(text, ref next);
            parameters.Add(new(name, value, start + 1, !afterSecret && DsnKeywords.LooksLikeKeyword(name)));
            afterSecret |= DsnKeywords.IsSecret(name);
            next = SkipBlanks(text, next);
        }

        return parameters;
    }

    private static int SkipBlanks(string text, int from)
    {
        while (from < text.Length && char.IsWhiteSpace(text[from]))
        {
            from++;
        }

        return from;
    }

    private static string Bare(string text, ref int next)
    {
        var value = new StringBuilder();
        for (; next < text.Length && !char.IsWhiteSpace(text[next]); next++)
        {
            Append(value, text, ref next);
        }

        return value.ToString();
    }

    private static string Quoted(string text, ref int next)
    {
        var value = new StringBuilder();
        var open = next;
        for (next++; next < text.Length; next++)
        {
            if (text[next] == '\'')
            {
                next++;
                return value.ToString();
            }

            Append(value, text, ref next);
        }

        throw DsnError.Malformed("the quote that opens here is never closed", open + 1);
    }

    // A backslash at the very end stands for nothing, as in libpq.
    private static void Append(StringBuilder value, string text, ref int next)
    {
        if (text[next] == '\\' && ++next == text.Length)
        {
            return;
        }

        value.Append(text[next]);
    }
}
