using System.Data.Common;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.EFCore.Buffering;

/// <summary>The rows of a result that are in memory: first as many as are read ahead, later one at a time, or all the rest.</summary>
internal sealed class ReadAhead : IDisposable
{
    private readonly DbDataReader _reader;
    private readonly BufferedColumn?[] _columns;
    private readonly int[] _indexMap = [];
    private int _rows;
    private int _current = -1;
    private bool _isAhead;

    /// <param name="reader">Before its first row.</param>
    /// <param name="columns">What EF reads of each row, and how; <see langword="null"/> for what it does not read.</param>
    internal ReadAhead(DbDataReader reader, IReadOnlyList<ReaderColumn?> columns)
    {
        _reader = reader;
        _columns = new BufferedColumn[Math.Max(reader.FieldCount, columns.Count)];
        for (var i = 0; i < columns.Count; i++)
        {
            if (columns[i] is not { } column)
            {
                continue;
            }

            var ordinal = i;
            if (column.Name is { } name)
            {
                // FromSql: the columns come in the order of the application's SQL.
                _indexMap = _indexMap.Length == 0 ? new int[columns.Count] : _indexMap;
                _indexMap[i] = ordinal = ColumnNames.Find(reader, name, columns.Count);
            }

            _columns[ordinal] = BufferedColumn.For(column, ordinal);
        }
    }

    /// <summary>Whether the last row of the result is in memory.</summary>
    internal bool IsComplete { get; private set; }

    /// <summary>Whether there was any row.</summary>
    internal bool HasRows { get; private set; }

    internal BufferedColumn this[int ordinal]
        => _columns[ordinal] ?? throw new InvalidOperationException($"Column {ordinal} is none that EF said it would read.");

    internal int Current => _current;

    /// <summary>Goes to the next row in memory; false if there is none.</summary>
    internal bool Next()
    {
        _current = Math.Min(_current + 1, _rows);
        return _current < _rows;
    }

    /// <summary>Reads on until so many rows are in memory, or to the end.</summary>
    /// <param name="rows">How many there are to be.</param>
    /// <param name="peek">Whether to look if another row follows: only the end of a result shows that it is complete.</param>
    internal void Fill(int rows, bool peek)
    {
        DropRead();
        while (!IsComplete && (_rows < rows || peek))
        {
            if (!Take(_isAhead || _reader.Read(), rows))
            {
                return;
            }
        }
    }

    /// <inheritdoc cref="Fill"/>
    internal async Task FillAsync(int rows, bool peek, CancellationToken cancellationToken)
    {
        DropRead();
        while (!IsComplete && (_rows < rows || peek))
        {
            if (!Take(_isAhead || await _reader.ReadAsync(cancellationToken).ConfigureAwait(false), rows))
            {
                return;
            }
        }
    }

    public void Dispose()
    {
        foreach (var column in _columns)
        {
            column?.Dispose();
        }
    }

    // Rows that have been handed out make room, unless the current one is still being looked at.
    private void DropRead()
    {
        if (_current >= _rows)
        {
            _rows = 0;
            _current = -1;
        }
    }

    // False when the reader is on a row that there is no room for.
    private bool Take(bool isRow, int rows)
    {
        _isAhead = isRow && _rows == rows;
        IsComplete = !isRow;
        if (!isRow || _isAhead)
        {
            return !isRow;
        }

        HasRows = true;
        foreach (var column in _columns)
        {
            column?.Take(_reader, _indexMap, _rows);
        }

        _rows++;
        return true;
    }
}
