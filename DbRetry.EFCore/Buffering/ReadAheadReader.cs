using System.Collections;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.EFCore.Buffering;

/// <summary>Hands out rows that are in memory, and reads on when they run out.</summary>
/// <param name="reader">What the rows come from. Closed as soon as the last one is in memory, so that its connection is free for the next command.</param>
/// <param name="columns">What EF reads of each row, and how.</param>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "A reader is a collection by name only.")]
[SuppressMessage("Design", "CA1010:Generic interface should also be implemented", Justification = "As all data readers.")]
internal sealed class ReadAheadReader(DbDataReader reader, IReadOnlyList<ReaderColumn?> columns) : DbDataReader
{
    private readonly ReadAhead _ahead = new(reader, columns);
    private readonly string[] _names = Names(reader);
    private int _recordsAffected = -1;
    private bool _isClosed;

    /// <summary>Whether nothing is left to be read over the connection.</summary>
    internal bool IsDrained { get; private set; }

    public override int FieldCount => _names.Length;

    public override bool HasRows => _ahead.HasRows;

    public override bool IsClosed => _isClosed;

    public override int RecordsAffected => IsDrained ? _recordsAffected : reader.RecordsAffected;

    public override int Depth => 0;

    // Npgsql uses a reader again for the next command of its connection, as soon as it is closed.
    private DbDataReader Open => IsDrained ? throw new InvalidOperationException("The result has been read in full, and its description is gone.") : reader;

    public override object this[int ordinal] => GetValue(ordinal);

    public override object this[string name] => GetValue(GetOrdinal(name));

    /// <summary>Reads ahead.</summary>
    /// <param name="rows">How many rows at most.</param>
    internal void Fill(int rows)
    {
        _ahead.Fill(rows, peek: true);
        EndIfComplete();
    }

    /// <inheritdoc cref="Fill"/>
    internal async Task FillAsync(int rows, CancellationToken cancellationToken)
    {
        await _ahead.FillAsync(rows, peek: true, cancellationToken).ConfigureAwait(false);
        await EndIfCompleteAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads what is left, so that the connection is free.</summary>
    internal void ReadRest()
    {
        if (!_isClosed && !IsDrained && !reader.IsClosed)
        {
            _ahead.Fill(int.MaxValue, peek: false);
            EndIfComplete();
        }
    }

    /// <inheritdoc cref="ReadRest"/>
    internal async ValueTask ReadRestAsync(CancellationToken cancellationToken)
    {
        if (!_isClosed && !IsDrained && !reader.IsClosed)
        {
            await _ahead.FillAsync(int.MaxValue, peek: false, cancellationToken).ConfigureAwait(false);
            await EndIfCompleteAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public override bool Read()
    {
        if (_ahead.Next())
        {
            return true;
        }

        if (_ahead.IsComplete)
        {
            return false;
        }

        _ahead.Fill(1, peek: false);
        EndIfComplete();
        return _ahead.Next();
    }

    public override Task<bool> ReadAsync(CancellationToken cancellationToken)
        => _ahead.Next() ? Task.FromResult(true)
            : _ahead.IsComplete ? Task.FromResult(false)
            : ReadOnAsync(cancellationToken);

    public override bool NextResult() => !IsDrained && reader.NextResult();

    public override T GetFieldValue<T>(int ordinal)
        => _ahead[ordinal] is BufferedColumn<T> column ? column.Get(_ahead.Current)! : (T)_ahead[ordinal].Value(_ahead.Current)!;

    public override object GetValue(int ordinal) => IsDBNull(ordinal) ? DBNull.Value : _ahead[ordinal].Value(_ahead.Current)!;

    public override bool IsDBNull(int ordinal) => _ahead[ordinal].IsNull(_ahead.Current);

    public override Task<bool> IsDBNullAsync(int ordinal, CancellationToken cancellationToken) => Task.FromResult(IsDBNull(ordinal));

    public override bool GetBoolean(int ordinal) => GetFieldValue<bool>(ordinal);

    public override byte GetByte(int ordinal) => GetFieldValue<byte>(ordinal);

    public override char GetChar(int ordinal) => GetFieldValue<char>(ordinal);

    public override DateTime GetDateTime(int ordinal) => GetFieldValue<DateTime>(ordinal);

    public override decimal GetDecimal(int ordinal) => GetFieldValue<decimal>(ordinal);

    public override double GetDouble(int ordinal) => GetFieldValue<double>(ordinal);

    public override float GetFloat(int ordinal) => GetFieldValue<float>(ordinal);

    public override Guid GetGuid(int ordinal) => GetFieldValue<Guid>(ordinal);

    public override short GetInt16(int ordinal) => GetFieldValue<short>(ordinal);

    public override int GetInt32(int ordinal) => GetFieldValue<int>(ordinal);

    public override long GetInt64(int ordinal) => GetFieldValue<long>(ordinal);

    public override string GetString(int ordinal) => GetFieldValue<string>(ordinal);

    public override string GetName(int ordinal) => _names[ordinal];

    public override int GetOrdinal(string name)
        => Array.FindIndex(_names, candidate => string.Equals(candidate, name, StringComparison.OrdinalIgnoreCase)) is >= 0 and var ordinal
            ? ordinal
            : throw new ArgumentOutOfRangeException(nameof(name), name, "The result has no such column.");

    public override string GetDataTypeName(int ordinal) => Open.GetDataTypeName(ordinal);

    [return: DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields | DynamicallyAccessedMemberTypes.PublicProperties)]
    public override Type GetFieldType(int ordinal) => Open.GetFieldType(ordinal);

    public override int GetValues(object[] values)
    {
        var count = Math.Min(values.Length, FieldCount);
        for (var i = 0; i < count; i++)
        {
            values[i] = GetValue(i);
        }

        return count;
    }

    public override long GetBytes(int ordinal, long dataOffset, byte[]? buffer, int bufferOffset, int length) => throw new NotSupportedException();

    public override long GetChars(int ordinal, long dataOffset, char[]? buffer, int bufferOffset, int length) => throw new NotSupportedException();

    public override IEnumerator GetEnumerator() => new DbEnumerator(this);

    public override void Close()
    {
        if (!_isClosed)
        {
            _isClosed = true;
            _ahead.Dispose();
            if (!IsDrained)
            {
                reader.Close();
            }
        }
    }

    public override async Task CloseAsync()
    {
        if (!_isClosed)
        {
            _isClosed = true;
            _ahead.Dispose();
            if (!IsDrained)
            {
                await reader.CloseAsync().ConfigureAwait(false);
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
        {
            Close();
            if (!IsDrained)
            {
                reader.Dispose();
            }
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await CloseAsync().ConfigureAwait(false);
        if (!IsDrained)
        {
            await reader.DisposeAsync().ConfigureAwait(false);
        }

        await base.DisposeAsync().ConfigureAwait(false);
    }

    private static string[] Names(DbDataReader reader)
    {
        var names = new string[reader.FieldCount];
        for (var i = 0; i < names.Length; i++)
        {
            names[i] = reader.GetName(i);
        }

        return names;
    }

    private async Task<bool> ReadOnAsync(CancellationToken cancellationToken)
    {
        await _ahead.FillAsync(1, peek: false, cancellationToken).ConfigureAwait(false);
        await EndIfCompleteAsync(cancellationToken).ConfigureAwait(false);
        return _ahead.Next();
    }

    // The answer is complete only when the server is ready again, and closing would keep a silence there to itself (NpgsqlDataReader.Close).
    private void EndIfComplete()
    {
        if (_ahead.IsComplete && !IsDrained)
        {
            while (reader.NextResult())
            {
            }

            _recordsAffected = reader.RecordsAffected;
            IsDrained = true;
            reader.Close();
        }
    }

    private async Task EndIfCompleteAsync(CancellationToken cancellationToken)
    {
        if (_ahead.IsComplete && !IsDrained)
        {
            while (await reader.NextResultAsync(cancellationToken).ConfigureAwait(false))
            {
            }

            _recordsAffected = reader.RecordsAffected;
            IsDrained = true;
            await reader.CloseAsync().ConfigureAwait(false);
        }
    }
}
