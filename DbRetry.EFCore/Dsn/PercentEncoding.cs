using System.Globalization;
using System.Text;

namespace DbRetry.EFCore.Dsn;

/// <summary>
/// Percent-decoding by libpq's rules (PostgreSQL manual 34.1.1.2): stricter than <see cref="Uri.UnescapeDataString(string)"/>,
/// which leaves broken escapes alone, and without turning <c>+</c> into a space.
/// </summary>
internal static class PercentEncoding
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <param name="text">What to decode.</param>
    /// <param name="what">How an error calls it; no part of the text.</param>
    /// <param name="position">The character of the DSN, counted from 1, where the text begins.</param>
    /// <exception cref="FormatException">A broken escape, an escaped NUL, or escapes that are no UTF-8.</exception>
    public static string Decode(string text, string what, int position)
    {
        if (!text.Contains('%', StringComparison.Ordinal))
        {
            return text;
        }

        var bytes = new List<byte>(text.Length);
        for (var i = 0; i < text.Length;)
        {
            if (text[i] != '%')
            {
                var end = text.IndexOf('%', i);
                end = end < 0 ? text.Length : end;
                bytes.AddRange(Encoding.UTF8.GetBytes(text[i..end]));
                i = end;
                continue;
            }

            if (i + 2 >= text.Length
                || !byte.TryParse(text.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            {
                throw DsnError.Malformed($"a '%' in the {what} is not followed by two hexadecimal digits (a plain '%' is written %25)", position + i);
            }

            if (value == 0)
            {
                throw DsnError.Malformed($"%00 in the {what} is not allowed", position + i);
            }

            bytes.Add(value);
            i += 3;
        }

        try
        {
            return StrictUtf8.GetString([.. bytes]);
        }
        catch (DecoderFallbackException)
        {
            throw DsnError.Malformed($"the percent escapes in the {what} are no UTF-8", position);
        }
    }
}
