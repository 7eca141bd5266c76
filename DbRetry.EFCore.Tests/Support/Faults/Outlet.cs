using System.Buffers;
using System.Diagnostics;
using System.Net.Sockets;

namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>Sends in order, each chunk a constant time after it was handed in.</summary>
internal sealed class Outlet(Socket socket, Func<TimeSpan> latency)
{
    private readonly ArrayBufferWriter<byte> _pending = new();
    private Task _underway = Task.CompletedTask;

    public void Append(ReadOnlyMemory<byte> frame) => _pending.Write(frame.Span);

    /// <summary>Forgets what was appended and not flushed.</summary>
    public void Discard() => _pending.ResetWrittenCount();

    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        if (_pending.WrittenCount == 0)
        {
            return;
        }
        var delay = latency();
        if (delay <= TimeSpan.Zero && _underway.IsCompleted)
        {
            await _underway;
            await SendAsync(_pending.WrittenMemory, cancellationToken);
        }
        else
        {
            _underway = SendLaterAsync(_underway, _pending.WrittenMemory.ToArray(), Stopwatch.GetTimestamp(), delay, cancellationToken);
        }
        _pending.ResetWrittenCount();
    }

    /// <summary>Completes when everything that was flushed is sent.</summary>
    public async ValueTask DrainAsync(CancellationToken cancellationToken)
    {
        await FlushAsync(cancellationToken);
        await _underway;
    }

    /// <summary>Waits for what is underway and does not care what becomes of it.</summary>
    public async Task SettleAsync() => await _underway.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private async Task SendLaterAsync(
        Task previous, byte[] chunk, long handedIn, TimeSpan delay, CancellationToken cancellationToken)
    {
        await previous;
        await WholeDelay.PassAsync(handedIn, delay, cancellationToken);
        await SendAsync(chunk, cancellationToken);
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> chunk, CancellationToken cancellationToken)
    {
        while (!chunk.IsEmpty)
        {
            chunk = chunk[await socket.SendAsync(chunk, cancellationToken)..];
        }
    }
}
