#pragma warning disable EF1001 // BufferedDataReader.IsSupportedValueType: see ReadAheadCommand.
using System.Buffers;
using System.Data.Common;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.EFCore.Buffering;

/// <summary>The values of one column in the rows that are in memory.</summary>
internal abstract class BufferedColumn : IDisposable
{
    /// <summary>The types that EF reads unboxed (EFCore.Relational/Query/Internal/BufferedDataReader.cs, IsSupportedValueType); all others are objects.</summary>
    internal static BufferedColumn For(ReaderColumn column, int ordinal)
        => column switch
        {
            ReaderColumn<object> typed => new BufferedColumn<object>(typed, ordinal),
            ReaderColumn<int> typed => new BufferedColumn<int>(typed, ordinal),
            ReaderColumn<long> typed => new BufferedColumn<long>(typed, ordinal),
            ReaderColumn<bool> typed => new BufferedColumn<bool>(typed, ordinal),
            ReaderColumn<Guid> typed => new BufferedColumn<Guid>(typed, ordinal),
            ReaderColumn<DateTime> typed => new BufferedColumn<DateTime>(typed, ordinal),
            ReaderColumn<DateTimeOffset> typed => new BufferedColumn<DateTimeOffset>(typed, ordinal),
            ReaderColumn<decimal> typed => new BufferedColumn<decimal>(typed, ordinal),
            ReaderColumn<double> typed => new BufferedColumn<double>(typed, ordinal),
            ReaderColumn<float> typed => new BufferedColumn<float>(typed, ordinal),
            ReaderColumn<short> typed => new BufferedColumn<short>(typed, ordinal),
            ReaderColumn<byte> typed => new BufferedColumn<byte>(typed, ordinal),
            ReaderColumn<char> typed => new BufferedColumn<char>(typed, ordinal),
            ReaderColumn<uint> typed => new BufferedColumn<uint>(typed, ordinal),
            ReaderColumn<ushort> typed => new BufferedColumn<ushort>(typed, ordinal),
            ReaderColumn<ulong> typed => new BufferedColumn<ulong>(typed, ordinal),
            ReaderColumn<sbyte> typed => new BufferedColumn<sbyte>(typed, ordinal),
            _ => throw new NotSupportedException($"EF reads a column as {column.Type}, which it never buffered before. Use {nameof(ResultBuffering)}.{nameof(ResultBuffering.Full)}."),
        };

    /// <summary>Takes the value of the row that a reader is on.</summary>
    internal abstract void Take(DbDataReader reader, int[] indexMap, int row);

    internal abstract bool IsNull(int row);

    internal abstract object? Value(int row);

    public abstract void Dispose();
}

/// <inheritdoc cref="BufferedColumn"/>
internal sealed class BufferedColumn<T>(ReaderColumn<T> column, int ordinal) : BufferedColumn
{
    private const int FirstRows = 16;

    private readonly Func<DbDataReader, int[], T> _read = column.GetFieldValue;
    private T?[] _values = ArrayPool<T?>.Shared.Rent(FirstRows);
    private bool[]? _nulls = column.IsNullable ? ArrayPool<bool>.Shared.Rent(FirstRows) : null;

    internal override void Take(DbDataReader reader, int[] indexMap, int row)
    {
        if (row >= _values.Length)
        {
            Grow(ref _values);
        }

        if (_nulls is null)
        {
            _values[row] = _read(reader, indexMap);
            return;
        }

        if (row >= _nulls.Length)
        {
            Grow(ref _nulls);
        }

        _values[row] = (_nulls[row] = reader.IsDBNull(ordinal)) ? default : _read(reader, indexMap);
    }

    internal T? Get(int row) => _values[row];

    internal override bool IsNull(int row) => _nulls is not null && _nulls[row];

    internal override object? Value(int row) => _values[row];

    public override void Dispose()
    {
        GiveBack(_values);
        _values = [];
        if (_nulls is not null)
        {
            GiveBack(_nulls);
            _nulls = [];
        }
    }

    private static void Grow<TValue>(ref TValue[] values)
    {
        var longer = ArrayPool<TValue>.Shared.Rent(values.Length * 2);
        values.CopyTo(longer, 0);
        GiveBack(values);
        values = longer;
    }

    private static void GiveBack<TValue>(TValue[] values)
        => ArrayPool<TValue>.Shared.Return(values, clearArray: RuntimeHelpers.IsReferenceOrContainsReferences<TValue>());
}
