namespace DbRetry.EFCore.Retry;

/// <summary>Reads the bare words of an SQL text: no literals, no comments, no quoted identifiers.</summary>
/// <remarks>
/// Follows PostgreSQL's lexical rules with <c>standard_conforming_strings</c> on
/// (<see href="https://www.postgresql.org/docs/current/sql-syntax-lexical.html"/>).
/// </remarks>
/// <param name="sql">The text.</param>
internal ref struct SqlWords(ReadOnlySpan<char> sql)
{
    private readonly ReadOnlySpan<char> _sql = sql;
    private int _position;

    /// <summary>The word that was read last.</summary>
    internal ReadOnlySpan<char> Current { get; private set; }

    /// <summary>Whether <see cref="Current"/> is the first word of a statement.</summary>
    internal bool StartsStatement { get; private set; } = true;

    /// <summary>Whether <see cref="Current"/> is followed by an opening parenthesis, as the name of a function is.</summary>
    internal readonly bool IsCalled
    {
        get
        {
            var rest = _sql[_position..].TrimStart();
            return rest.Length > 0 && rest[0] == '(';
        }
    }

    /// <summary>Whether a literal, a comment or a quoted identifier is not closed: the text cannot be understood then.</summary>
    internal bool IsUnterminated { get; private set; }

    /// <summary>Goes to the next word; <see langword="false"/> at the end of the text.</summary>
    internal bool MoveNext()
    {
        StartsStatement = _position == 0;
        while (_position < _sql.Length)
        {
            var c = _sql[_position];
            var next = _position + 1 < _sql.Length ? _sql[_position + 1] : '\0';
            switch (c)
            {
                case ';':
                    StartsStatement = true;
                    _position++;
                    break;
                case '\'':
                    SkipQuoted('\'', backslashEscapes: false);
                    break;
                case '"':
                    SkipQuoted('"', backslashEscapes: false);
                    break;
                case 'e' or 'E' when next == '\'':
                    _position++;
                    SkipQuoted('\'', backslashEscapes: true);
                    break;
                case '-' when next == '-':
                    var line = _sql[_position..].IndexOfAny('\r', '\n');
                    _position = line < 0 ? _sql.Length : _position + line;
                    break;
                case '/' when next == '*':
                    SkipComment();
                    break;
                case '$':
                    SkipDollar();
                    break;
                case var _ when IsWordStart(c):
                    ReadWord();
                    return true;
                case var _ when char.IsAsciiDigit(c):
                    // A number, with its exponent: no word.
                    ReadWord();
                    break;
                default:
                    _position++;
                    break;
            }
        }

        return false;
    }

    private static bool IsWordStart(char c) => char.IsAsciiLetter(c) || c == '_' || c >= '\u0080';

    private static bool IsWordPart(char c) => IsWordStart(c) || char.IsAsciiDigit(c) || c == '$';

    private void ReadWord()
    {
        var start = _position++;
        while (_position < _sql.Length && IsWordPart(_sql[_position]))
        {
            _position++;
        }

        Current = _sql[start.._position];
    }

    private void SkipQuoted(char quote, bool backslashEscapes)
    {
        for (_position++; _position < _sql.Length; _position++)
        {
            // A doubled quote reads as the end of one literal and the start of the next, which comes to the same.
            if (_sql[_position] == quote)
            {
                if (_position + 1 < _sql.Length && _sql[_position + 1] == quote)
                {
                    _position++;
                    continue;
                }

                _position++;
                return;
            }

            if (backslashEscapes && _sql[_position] == '\\')
            {
                _position++;
            }
        }

        End();
    }

    private void SkipComment()
    {
        var depth = 0;
        while (_position + 1 < _sql.Length)
        {
            if (_sql[_position] == '/' && _sql[_position + 1] == '*')
            {
                depth++;
                _position += 2;
            }
            else if (_sql[_position] == '*' && _sql[_position + 1] == '/')
            {
                _position += 2;
                if (--depth == 0)
                {
                    return;
                }
            }
            else
            {
                _position++;
            }
        }

        End();
    }

    /// <summary>Skips <c>$tag$ … $tag$</c>, or the dollar sign of a parameter.</summary>
    private void SkipDollar()
    {
        var tagEnd = _position + 1;
        if (tagEnd < _sql.Length && IsWordStart(_sql[tagEnd]))
        {
            while (tagEnd < _sql.Length && _sql[tagEnd] != '$' && IsWordPart(_sql[tagEnd]))
            {
                tagEnd++;
            }
        }

        if (tagEnd >= _sql.Length || _sql[tagEnd] != '$')
        {
            _position++;
            return;
        }

        var tag = _sql[_position..(tagEnd + 1)];
        var close = _sql[(tagEnd + 1)..].IndexOf(tag, StringComparison.Ordinal);
        if (close < 0)
        {
            End();
            return;
        }

        _position = tagEnd + 1 + close + tag.Length;
    }

    private void End()
    {
        _position = _sql.Length;
        IsUnterminated = true;
    }
}
