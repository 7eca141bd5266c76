using System.Data.Common;

namespace DbRetry.EFCore.Retry.Contention;

/// <summary>What one unit has to do with the gate of its kind, if there is one.</summary>
internal sealed class UnitAdmission(AdmissionGates gates, UnitKind kind, RetrySettings settings)
{
    /// <summary>From this many lost conflicts on, a unit runs alone, or in the last attempt that <c>MaxRetryCount</c> allows, if that comes first.</summary>
    private const int MostLosses = 3;

    // In units of ConflictDelay, at least; twice as much at most.
    private const double LastChancePause = 8;

    // A unit inside another one that was let in must not wait: what it waits for may be waiting for it.
    private static readonly AsyncLocal<bool> Inside = new();

    private AdmissionGate? _gate = Inside.Value ? null : gates.Find(kind);
    private AdmissionPass? _pass;
    private int _losses;

    // Whether it lost while it held its lane's lock: to somebody who did not take it.
    private bool _wasPassed;

    /// <summary>Whether the next attempt is the last one that the unit has, whatever the others were lost by.</summary>
    internal bool IsLastChance { get; set; }

    private AdmissionRank Rank => IsLastChance || _losses >= Math.Min(MostLosses, settings.MaxRetryCount) ? AdmissionRank.Alone
        : _losses == 0 ? AdmissionRank.Newcomer
        : AdmissionRank.Loser;

    // What it wants is known from its first statement, and nobody else's.
    private bool HasNoLane => _pass is { Lane: null };

    internal void Enter()
    {
        if (_gate is not null)
        {
            Entered(_gate.Enter(Rank));
        }
    }

    /// <summary>Waits for admission; call <see cref="Entered"/> with the result, if there is one, in the method that runs the attempt.</summary>
    internal async ValueTask<AdmissionPass?> EnterAsync(CancellationToken cancellationToken)
        => _gate is null ? null : await _gate.EnterAsync(Rank, cancellationToken).ConfigureAwait(false);

    /// <remarks>Not a part of <see cref="EnterAsync"/>: what an asynchronous method sets does not flow to its caller.</remarks>
    internal void Entered(AdmissionPass? pass)
    {
        if (pass is not null)
        {
            _pass = pass;
            Inside.Value = true;
        }
    }

    /// <summary>The lane whose <see cref="LaneLock"/> the attempt has to take; <see langword="null"/> if it has none, or has tried to.</summary>
    internal int? Lock => _pass is { NeedsLock: true, Lock: LaneLockResult.NotTaken, Lane: { } lane } ? lane : null;

    /// <summary>A statement is about to be sent. The first one waits for its like: until then the transaction has not begun on the server.</summary>
    internal void Send(DbCommand command)
    {
        if (HasNoLane)
        {
            _pass = _gate!.EnterLane(_pass!.Value, Rank, StatementKey.Of(command));
        }
    }

    /// <inheritdoc cref="Send"/>
    internal ValueTask SendAsync(DbCommand command, CancellationToken cancellationToken)
    {
        return HasNoLane ? EnterLaneAsync() : ValueTask.CompletedTask;

        async ValueTask EnterLaneAsync()
            => _pass = await _gate!.EnterLaneAsync(_pass!.Value, Rank, StatementKey.Of(command), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Says what became of the lock.</summary>
    internal void Took(LaneLockResult taken)
    {
        if (_pass is { } pass)
        {
            _pass = pass with { Lock = taken };
        }
    }

    /// <summary>The attempt is over, and its transaction with it.</summary>
    /// <param name="conflict">Whether it lost a conflict.</param>
    /// <param name="stalled">Whether others waited until the server found that out.</param>
    internal void Leave(bool conflict, bool stalled = false)
    {
        _losses += conflict ? 1 : 0;
        _wasPassed |= conflict && _pass is { Lock: LaneLockResult.Free or LaneLockResult.Waited };
        if (_pass is { } pass)
        {
            _pass = null;
            Inside.Value = false;
            _gate!.Leave(pass, conflict, stalled);
            gates.RemoveIfCalm(kind, _gate);
        }
        else if (conflict && !Inside.Value)
        {
            _gate = gates.Get(kind);
            _gate.Missed(stalled);
        }
    }

    /// <summary>The pause after a lost conflict: none where the gate sees to it that the next attempt does not meet the same ones again.</summary>
    /// <remarks>
    /// Attempts that began before there was a gate are not in it, and the last chance of a unit must not meet one of them: it gives them time to end. So it does
    /// after it has lost to another process that takes no lock, which learns to as soon as it loses itself. Nobody waits for it meanwhile.
    /// </remarks>
    internal TimeSpan Pause(TimeSpan otherwise, double random01)
    {
        if (_gate is not { } gate)
        {
            return otherwise;
        }

        if (gate is { Width: < AdmissionWidth.Open, Overload: > 0 })
        {
            return Backoff.Next(gate.Overload, settings.ConflictDelay, settings.MaxConflictDelay, random01);
        }

        var last = settings.ConflictDelay * (LastChancePause * (1 + random01));
        var since = _wasPassed ? TimeSpan.Zero : gate.Age;
        return Rank is AdmissionRank.Alone && since < last ? last - since
            : gate.IsQueueing ? TimeSpan.Zero
            : otherwise;
    }
}
