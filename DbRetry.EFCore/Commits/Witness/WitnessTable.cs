using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Npgsql;

namespace DbRetry.EFCore.Commits.Witness;

/// <summary>
/// The table of commit witnesses: a transaction writes a row of its own into it, which is there afterwards if, and only if, the transaction is committed.
/// </summary>
/// <remarks>
/// The primary key makes the answer final. Whoever asks inserts the same id as void: if the transaction's own row is there, or still on its way through an
/// open transaction, PostgreSQL says so or waits for it; if it is not, the void row keeps it out for ever (Commits/Witness/WitnessTableTests).
/// </remarks>
[SuppressMessage("Security", "CA2100", Justification = "The name of a table cannot be a parameter; it is quoted.")]
internal sealed class WitnessTable
{
    /// <summary>How many old rows one commit removes at most.</summary>
    private const int CleanedAtOnce = 10_000;

    /// <summary>How long a question waits for a transaction that is still open, before it says so.</summary>
    private const string LockTimeout = "500ms";

    private static readonly ConcurrentDictionary<string, WitnessTable> Tables = new(StringComparer.Ordinal);

    private readonly string _quoted;
    private readonly string _insert;

    private WitnessTable(string name)
    {
        Name = name;
        _quoted = Quote(name);
        _insert = $"INSERT INTO {_quoted} (id, committed) VALUES ($1, true)";
        CreateSql =
            $"""
            CREATE TABLE IF NOT EXISTS {_quoted} (
                id uuid PRIMARY KEY,
                committed boolean NOT NULL,
                at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
            )
            """;
        DropSql = $"DROP TABLE IF EXISTS {_quoted}";
    }

    /// <summary>What a name must be. A longer one would be cut by the server, silently (NAMEDATALEN).</summary>
    internal const string NameRule = "it must be a table's name of at most 63 bytes, or a schema's and a table's with a point between.";

    /// <summary>As the application wrote it.</summary>
    internal string Name { get; }

    internal string CreateSql { get; }

    internal string DropSql { get; }

    /// <param name="name">A table's name, after its schema's and a point if it is not to be looked up in the search path.</param>
    /// <exception cref="ArgumentException">It is no such name.</exception>
    internal static WitnessTable Named(string name) => Tables.GetOrAdd(name, static name => new WitnessTable(name));

    internal static bool IsName(string? name)
        => name?.Split('.') is { Length: 1 or 2 } parts
            && Array.TrueForAll(parts, part => !string.IsNullOrWhiteSpace(part) && !part.Contains('\0', StringComparison.Ordinal) && Encoding.UTF8.GetByteCount(part) <= 63);

    internal NpgsqlCommand Exists(NpgsqlConnection connection)
        => new("SELECT pg_catalog.to_regclass($1) IS NOT NULL", connection) { Parameters = { new NpgsqlParameter<string> { TypedValue = _quoted } } };

    internal NpgsqlCommand Create(NpgsqlConnection connection) => new(CreateSql, connection);

    /// <summary>Ends the transaction that is open on a connection and leaves the witness, in one round trip.</summary>
    internal NpgsqlBatch Commit(NpgsqlConnection connection, Guid id)
        => new(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand(_insert) { Parameters = { Id(id) } },
                new NpgsqlBatchCommand("COMMIT"),
            },
        };

    /// <summary>
    /// Asks whether the witness is there, and if it is not, sees to it that it never will be. The only row of the result counts once the whole batch has
    /// succeeded. 55P03 says that the transaction is still open.
    /// </summary>
    internal NpgsqlBatch Settle(NpgsqlConnection connection, Guid id)
        => new(connection)
        {
            BatchCommands =
            {
                // The second statement must see what the first one waited for.
                new NpgsqlBatchCommand("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"),
                new NpgsqlBatchCommand($"SET LOCAL lock_timeout = '{LockTimeout}'"),
                new NpgsqlBatchCommand($"INSERT INTO {_quoted} (id, committed) VALUES ($1, false) ON CONFLICT (id) DO NOTHING") { Parameters = { Id(id) } },
                new NpgsqlBatchCommand($"SELECT committed FROM {_quoted} WHERE id = $1") { Parameters = { Id(id) } },
                new NpgsqlBatchCommand("COMMIT"),
            },
        };

    /// <summary>
    /// Ends the backend that has left the witness and waits for a COMMIT that will not come: the connection was lost in the middle of the batch. That it
    /// has been waiting for its client for so long, in this very statement, tells it from one that has the same process id by now.
    /// </summary>
    internal NpgsqlCommand EndStuckBackend(NpgsqlConnection connection, int processId)
        => new(
            """
            SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
            WHERE pid = $1 AND query = $2 AND wait_event = 'ClientRead' AND state_change < pg_catalog.clock_timestamp() - interval '400 ms'
            """,
            connection)
        {
            Parameters = { new NpgsqlParameter<int> { TypedValue = processId }, new NpgsqlParameter<string> { TypedValue = _insert } },
        };

    /// <summary>Removes witnesses that nobody can ask for any more.</summary>
    internal NpgsqlCommand Clean(NpgsqlConnection connection, TimeSpan age)
        => new(
            string.Create(CultureInfo.InvariantCulture, $"""
            DELETE FROM {_quoted} WHERE id = ANY (ARRAY(
                SELECT id FROM {_quoted} WHERE at < pg_catalog.now() - $1 LIMIT {CleanedAtOnce} FOR UPDATE SKIP LOCKED))
            """),
            connection)
        {
            Parameters = { new NpgsqlParameter<TimeSpan> { TypedValue = age } },
        };

    private static NpgsqlParameter<Guid> Id(Guid id) => new() { TypedValue = id };

    private static string Quote(string name)
        => IsName(name)
            ? string.Join('.', name.Split('.').Select(part => $"\"{part.Replace("\"", "\"\"", StringComparison.Ordinal)}\""))
            : throw new ArgumentException($"'{name}' is no name of a table: {NameRule}", nameof(name));
}
