using System.Buffers.Binary;
using System.Text;

namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>
/// What a connection's two directions must know of each other to be cut into messages, and which of the server's answers belongs to
/// which request. The two pumps of a connection use it at the same time.
/// </summary>
internal sealed class ProtocolTracker
{
    private const char ReadyForQuery = 'Z';

    private volatile bool _started;
    private volatile bool _encrypted;
    private volatile bool _answerPending;
    private int _requests;
    private int _answers;

    /// <summary>How many of the server's ReadyForQuery have been seen.</summary>
    public int Answers => Volatile.Read(ref _answers);

    /// <summary>
    /// The number of the ReadyForQuery that will answer the frontend message that was described last, the one that follows on the
    /// startup included.
    /// </summary>
    public int AnswerTo(char type) => EndsRequest(type) ? _requests : _requests + 1;

    public Framing FramingOf(Sender sender) => (sender, _encrypted) switch
    {
        (_, true) => Framing.Opaque,
        (Sender.Frontend, _) => _started ? Framing.Typed : Framing.Untyped,
        (_, _) => _answerPending ? Framing.SingleByte : Framing.Typed,
    };

    /// <summary>Must be told of every message before it is forwarded.</summary>
    public (char Type, string? Sql) Describe(Sender sender, Framing framing, ReadOnlySpan<byte> frame)
    {
        if (framing == Framing.Untyped)
        {
            var kind = UntypedMessages.FromCode(frame.Length < 8 ? 0 : BinaryPrimitives.ReadInt32BigEndian(frame[4..]));
            _answerPending = kind is UntypedMessages.SslRequest or UntypedMessages.GssEncryptionRequest;
            _started = kind == UntypedMessages.Startup;
            _requests += _started ? 1 : 0;
            return (kind, null);
        }
        if (framing == Framing.SingleByte)
        {
            _answerPending = false;
            _encrypted = frame[0] is (byte)'S' or (byte)'G';
            return (UntypedMessages.EncryptionAnswer, null);
        }
        var type = (char)frame[0];
        if (sender == Sender.Backend)
        {
            if (type == ReadyForQuery)
            {
                Interlocked.Increment(ref _answers);
            }
            return (type, null);
        }
        _requests += EndsRequest(type) ? 1 : 0;
        return (type, type switch
        {
            'Q' => Text(frame[5..]),
            'P' => Text(frame[(5 + frame[5..].IndexOf((byte)0) + 1)..]),
            _ => null,
        });
    }

    // Query, Sync and FunctionCall are what a server answers with ReadyForQuery; so is a startup.
    private static bool EndsRequest(char type) => type is 'Q' or 'S' or 'F' or UntypedMessages.Startup;

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes[..bytes.IndexOf((byte)0)]);
}
