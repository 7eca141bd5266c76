using System.Buffers.Binary;
using System.Net.Sockets;

namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>Cuts what arrives on a socket into protocol messages.</summary>
internal sealed class FrameReader(Socket socket)
{
    private byte[] _buffer = new byte[16 * 1024];
    private int _start;
    private int _end;

    /// <summary>Reads what there is; false at the end of the stream. Frames taken before are invalid afterwards.</summary>
    public async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }
        if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }
        var count = await socket.ReceiveAsync(_buffer.AsMemory(_end), cancellationToken);
        _end += count;
        return count > 0;
    }

    public bool TryTake(Framing framing, out ReadOnlyMemory<byte> frame)
    {
        var available = _end - _start;
        var length = framing switch
        {
            Framing.Opaque => available,
            Framing.SingleByte => 1,
            Framing.Untyped => available < 4 ? int.MaxValue : LengthAt(_start),
            _ => available < 5 ? int.MaxValue : 1 + LengthAt(_start + 1),
        };
        if (available == 0 || length > available)
        {
            frame = default;
            return false;
        }
        frame = _buffer.AsMemory(_start, length);
        _start += length;
        return true;
    }

    private int LengthAt(int offset)
    {
        var length = BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(offset));
        return length >= 4 ? length : throw new InvalidDataException($"A protocol message says that it is {length} bytes long.");
    }
}
