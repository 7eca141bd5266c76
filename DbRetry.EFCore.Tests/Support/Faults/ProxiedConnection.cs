using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>One client of a proxy and its connection to the server.</summary>
internal sealed class ProxiedConnection(int number, Socket client, FaultScript script, Func<TimeSpan> latency) : IDisposable
{
    private readonly Socket _server = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly CancellationTokenSource _silence = new();
    private readonly ProtocolTracker _protocol = new();
    private volatile PendingAnswer? _withheld;
    private volatile bool _over;

    /// <summary>Whether the client has sent what nobody has read yet.</summary>
    public bool HasUnread => client.Available > 0;

    /// <summary>
    /// Completes with true when both ends are closed, with false when the connection is left open in silence. Fails only by an error
    /// of the test, such as a throwing predicate.
    /// </summary>
    public async Task<bool> RunAsync(EndPoint target)
    {
        try
        {
            await _server.ConnectAsync(target, _silence.Token);
            await Task.WhenAll(
                PumpAsync(Sender.Frontend, client, _server),
                PumpAsync(Sender.Backend, _server, client));
        }
        catch (Exception failure) when (SocketEnds.IsBroken(failure))
        {
            // No server there.
            Fail(FaultAction.Reset);
        }
        catch (OperationCanceledException)
        {
            // Silenced: the sockets stay open until the proxy is disposed or cuts everybody.
            return false;
        }
        Dispose();
        return true;
    }

    /// <summary>Does to the connection what a fault says; a delay is none that can be done from outside.</summary>
    public void Fail(FaultAction action)
    {
        _over = true;
        switch (action.Kind)
        {
            case FaultKind.BlackHole:
                Silence();
                break;
            case FaultKind.Reset:
                SocketEnds.Reset(client);
                SocketEnds.Reset(_server);
                break;
            case FaultKind.Cut:
                SocketEnds.ShutDown(client);
                SocketEnds.ShutDown(_server);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(action), action.Kind, null);
        }
    }

    public void Dispose()
    {
        _over = true;
        client.Dispose();
        _server.Dispose();
        _silence.Dispose();
    }

    private async Task PumpAsync(Sender sender, Socket source, Socket sink)
    {
        var reader = new FrameReader(source);
        var outlet = new Outlet(sink, latency);
        try
        {
            // A connection that is over is still read to its end: closing a socket with unread bytes in it would send a reset.
            while (await reader.FillAsync(_silence.Token))
            {
                while (_protocol.FramingOf(sender) is var framing && reader.TryTake(framing, out var frame))
                {
                    if (!_over)
                    {
                        await PassAsync(sender, framing, frame, outlet);
                    }
                }
                if (_over || Withholds(sender))
                {
                    continue;
                }
                await outlet.FlushAsync(_silence.Token);
            }
            if (!_over)
            {
                outlet.Discard();
                await outlet.DrainAsync(_silence.Token);
            }
            SocketEnds.ShutDown(sink);
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            // One side was reset, by its peer or by a fault: so is the other.
            _over = true;
            SocketEnds.Reset(sink);
            SocketEnds.Reset(source);
            if (!SocketEnds.IsBroken(failure))
            {
                throw;
            }
        }
        finally
        {
            await outlet.SettleAsync();
        }
    }

    private async ValueTask PassAsync(Sender sender, Framing framing, ReadOnlyMemory<byte> frame, Outlet outlet)
    {
        if (framing == Framing.Opaque)
        {
            outlet.Append(frame);
            return;
        }
        var withheldBefore = Withholds(sender);
        var (type, sql) = _protocol.Describe(sender, framing, frame.Span);
        var fault = script.Observe(number, sender, type, sql);
        if (withheldBefore)
        {
            outlet.Append(frame);
            if (_protocol.Answers >= _withheld!.Number)
            {
                var action = _withheld.Action;
                _withheld = null;
                await ActAsync(action, outlet);
            }
            return;
        }
        switch (fault?.Moment)
        {
            case FaultMoment.BeforeForward:
                await outlet.DrainAsync(_silence.Token);
                await ActAsync(fault.Action, outlet);
                outlet.Append(frame);
                break;
            case FaultMoment.AfterForward:
                outlet.Append(frame);
                await outlet.DrainAsync(_silence.Token);
                await ActAsync(fault.Action, outlet);
                break;
            case FaultMoment.AfterProcessed when sender == Sender.Frontend:
                _withheld = new PendingAnswer(_protocol.AnswerTo(type), fault.Action);
                outlet.Append(frame);
                break;
            case FaultMoment.AfterProcessed:
                throw new InvalidOperationException("Only what the frontend sends is processed by the server.");
            default:
                outlet.Append(frame);
                break;
        }
        if (Withholds(sender))
        {
            // That was the last message before the answer that must not pass.
            await outlet.DrainAsync(_silence.Token);
        }
    }

    private void Silence()
    {
        try
        {
            _silence.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // Nothing passes here any more anyway.
        }
    }

    private async ValueTask ActAsync(FaultAction action, Outlet outlet)
    {
        if (action.Kind == FaultKind.Delay)
        {
            await WholeDelay.PassAsync(Stopwatch.GetTimestamp(), action.Duration, _silence.Token);
            return;
        }
        outlet.Discard();
        Fail(action);
    }

    private bool Withholds(Sender sender) =>
        sender == Sender.Backend && _withheld is { } withheld && _protocol.Answers >= withheld.Number - 1;

    /// <summary>The answer, by the number of its ReadyForQuery, upon which an action waits.</summary>
    private sealed record PendingAnswer(int Number, FaultAction Action);
}
