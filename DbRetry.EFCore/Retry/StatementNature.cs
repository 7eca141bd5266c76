using System.Collections.Frozen;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace DbRetry.EFCore.Retry;

/// <summary>Tells whether a statement may change something, so that a lost answer to it leaves a doubt.</summary>
internal static class StatementNature
{
    /// <summary>What a statement that only reads begins with; everything else may write.</summary>
    private static readonly FrozenSet<string> ReadingStarts = Words("select", "with", "values", "table", "show", "explain");

    /// <summary>
    /// What writes inside such a statement: the data-modifying parts of WITH and EXPLAIN ANALYZE, and the INTO that makes a table. The last three can
    /// follow EXPLAIN only (CREATE TABLE AS, EXECUTE, REFRESH MATERIALIZED VIEW).
    /// </summary>
    private static readonly FrozenSet<string> WritingWords = Words("insert", "update", "delete", "merge", "into", "create", "execute", "refresh");

    /// <summary>Functions of PostgreSQL that act on something which a repetition would notice; nextval leaves a gap at most.</summary>
    private static readonly FrozenSet<string> WritingFunctions = Words(
        "setval", "pg_notify", "pg_logical_emit_message", "pg_cancel_backend", "pg_terminate_backend", "pg_promote", "pg_switch_wal", "pg_reload_conf");

    private static readonly string[] WritingFunctionPrefixes = ["pg_advisory_", "pg_try_advisory_", "lo_", "lowrite", "dblink", "pg_create_", "pg_drop_"];

    /// <summary>What stands before a parenthesis in a plain read, and the functions that are known to be harmless.</summary>
    private static readonly FrozenSet<string> HarmlessBeforeParenthesis = Words(
        "select", "with", "values", "as", "materialized", "from", "join", "lateral", "on", "using", "where", "and", "or", "not", "in", "any", "all",
        "some", "exists", "having", "by", "over", "filter", "union", "intersect", "except", "distinct", "case", "when", "then", "else", "like", "between",
        "limit", "offset", "array", "row", "explain", "numeric", "decimal", "varchar", "char",
        "count", "sum", "min", "max", "avg", "coalesce", "nullif", "greatest", "least", "cast", "lower", "upper", "length", "now", "nextval",
        "current_setting", "version", "pg_is_in_recovery");

    /// <summary>What ends a transaction, behind EF's back, and what undoes a part of it.</summary>
    private static readonly FrozenSet<string> EndingStarts = Words("commit", "end", "rollback", "abort", "prepare");

    /// <summary>What a statement begins with that takes a snapshot itself. Others may have to come before any snapshot (SET TRANSACTION, LOCK).</summary>
    private static readonly FrozenSet<string> SnapshotStarts = Words("select", "with", "values", "table", "insert", "update", "delete", "merge");

    /// <remarks>
    /// A LINQ query reads, and so does every query that EF reads rows from, unless its text says otherwise. What a function called by it does cannot be
    /// known and is taken for reading. Nobody calls <c>ExecuteSql</c> for its rows, so there an unknown function is taken for writing.
    /// <c>FOR UPDATE</c> is a read: its locks end with the session.
    /// </remarks>
    internal static bool MayWrite(CommandSource source, string sql)
        => source switch
        {
            CommandSource.LinqQuery => false,
            CommandSource.FromSqlQuery or CommandSource.ValueGenerator => TextMayWrite(sql, unknownFunctionsWrite: false),
            CommandSource.SaveChanges or CommandSource.ExecuteUpdate or CommandSource.ExecuteDelete => true,
            _ => TextMayWrite(sql, unknownFunctionsWrite: true),
        };

    /// <summary>Whether another statement that takes a snapshot may be put in front of it, if it is the first one of a transaction.</summary>
    internal static bool TakesSnapshot(CommandSource source, string sql)
    {
        if (IsOfEF(source))
        {
            return true;
        }

        var words = new SqlWords(sql);
        return words.MoveNext() && SnapshotStarts.GetAlternateLookup<ReadOnlySpan<char>>().Contains(words.Current);
    }

    /// <summary>Whether the transaction that follows such a statement may be another one.</summary>
    internal static bool MayEndTransaction(CommandSource source, string sql)
    {
        if (IsOfEF(source))
        {
            return false;
        }

        var words = new SqlWords(sql);
        var endingStarts = EndingStarts.GetAlternateLookup<ReadOnlySpan<char>>();
        while (words.MoveNext())
        {
            if (words.StartsStatement && endingStarts.Contains(words.Current))
            {
                return true;
            }
        }

        return words.IsUnterminated;
    }

    /// <summary>Whether the application may forbid its own transaction to write with it (<c>SET TRANSACTION READ ONLY</c> and its kin).</summary>
    internal static bool MayForbidWrites(CommandSource source, string sql)
        => !IsOfEF(source)
            && sql.Contains("read", StringComparison.OrdinalIgnoreCase)
            && sql.Contains("only", StringComparison.OrdinalIgnoreCase);

    private static bool IsOfEF(CommandSource source)
        => source is CommandSource.LinqQuery or CommandSource.SaveChanges or CommandSource.ExecuteUpdate or CommandSource.ExecuteDelete;

    private static bool TextMayWrite(string sql, bool unknownFunctionsWrite)
    {
        var words = new SqlWords(sql);
        var readingStarts = ReadingStarts.GetAlternateLookup<ReadOnlySpan<char>>();
        var writingWords = WritingWords.GetAlternateLookup<ReadOnlySpan<char>>();
        var harmless = HarmlessBeforeParenthesis.GetAlternateLookup<ReadOnlySpan<char>>();
        var lockingClause = false;
        var empty = true;
        while (words.MoveNext())
        {
            empty = false;
            var word = words.Current;
            if (words.StartsStatement && !readingStarts.Contains(word))
            {
                return true;
            }

            if (writingWords.Contains(word) && !(lockingClause && Is(word, "update")))
            {
                return true;
            }

            if (words.IsCalled && (IsWritingFunction(word) || (unknownFunctionsWrite && !harmless.Contains(word))))
            {
                return true;
            }

            // FOR UPDATE, FOR NO KEY UPDATE
            lockingClause = Is(word, "for") || (lockingClause && (Is(word, "no") || Is(word, "key")));
        }

        return empty || words.IsUnterminated;
    }

    private static bool IsWritingFunction(ReadOnlySpan<char> word)
    {
        if (WritingFunctions.GetAlternateLookup<ReadOnlySpan<char>>().Contains(word))
        {
            return true;
        }

        foreach (var prefix in WritingFunctionPrefixes)
        {
            if (word.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Is(ReadOnlySpan<char> word, string other) => word.Equals(other, StringComparison.OrdinalIgnoreCase);

    private static FrozenSet<string> Words(params string[] words) => words.ToFrozenSet(StringComparer.OrdinalIgnoreCase);
}
