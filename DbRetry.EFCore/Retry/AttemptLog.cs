using System.Collections.Immutable;
using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry.Contention;
using DbRetry.EFCore.Retry.Fencing;
using DbRetry.EFCore.Retry.Reporting;
using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Retry;

/// <summary>
/// What one context knows about the attempt that it is running: which phase it reached, on which host, and how its connection was lost.
/// Written by the interceptors and the transaction, read by the execution strategy when the attempt fails.
/// </summary>
/// <remarks>A context is used by one thread at a time, and so is this.</remarks>
internal sealed class AttemptLog : IResettableService
{
    private AttemptPhase _phase;
    private CommandSource _source;
    private string? _sql;
    private ServerSession? _session;

    /// <summary>Whether a strategy of this context is running: the outermost one owns the retries.</summary>
    internal bool IsRunning { get; private set; }

    /// <summary>Whether the running work may be repeated even when an earlier run of it may have been applied.</summary>
    internal bool IsIdempotent { get; private set; }

    /// <summary>Whether the running work must reach a primary, whatever the context's target session is.</summary>
    internal bool RequiresPrimary { get; private set; }

    /// <summary>When the running unit failed first, by the time provider's timestamp; <see langword="null"/> while it has not.</summary>
    internal long? FirstFailureAt { get; private set; }

    /// <summary>Whether this attempt's connection broke.</summary>
    internal bool IsConnectionBroken { get; private set; }

    /// <summary>The failure that broke this attempt's connection, if it was seen. What surfaces later may be a mere consequence of it.</summary>
    internal Exception? ConnectionLoss { get; private set; }

    /// <summary>Whether the host is not trusted any more since that, and what is known of it now was learnt later.</summary>
    internal bool IsHostDistrusted { get; set; }

    /// <summary>The session that was lost with this attempt's connection, if anything was started in it.</summary>
    internal ServerSession? LostSession { get; private set; }

    /// <summary>What a failed attempt of the running unit may have left on its server, to be ended before the next one goes on there.</summary>
    internal ServerSession? LeftBehind { get; set; }

    /// <summary>The COMMITs of the running unit that had no effect, as somebody said.</summary>
    internal ImmutableArray<RefutedCommit> Refuted { get; private set; } = [];

    /// <summary>The server's latest error in a transaction, in case the application goes on in it all the same.</summary>
    internal Exception? FailureInTransaction { get; set; }

    /// <summary>Whether a statement that may write has run in the current transaction.</summary>
    internal bool MayHaveWritten { get; private set; }

    /// <summary>Whether the context may have written since it was last asked for how far that is in the history of its cluster.</summary>
    internal bool HasWritten { get; set; }

    /// <summary>The identity of the current transaction, if a write of it has brought it along.</summary>
    internal TransactionIdentity? Identity { get; set; }

    /// <summary>
    /// Whether a statement ran outside a transaction because it refuses one. It may commit in between (CALL, VACUUM), so not even an error of the
    /// server shows that nothing was applied.
    /// </summary>
    internal bool IsBare { get; set; }

    /// <summary>
    /// Whether the server that answered <c>25006</c> refuses every write; <see langword="false"/> when only the transaction was read-only.
    /// </summary>
    internal bool? ServerIsReadOnly { get; set; }

    /// <summary>Whether a statement of the application may have made its transaction read-only.</summary>
    internal bool MayBeReadOnly { get; set; }

    /// <summary>
    /// Whether connections are to be asked what they lead to, whatever they report: one was lost, or took no writes. A pooler accepts connections while
    /// it has no server, and reports what it heard from an earlier one.
    /// </summary>
    internal bool NeedsProof { get; private set; }

    /// <summary>Whether this attempt's connection answered that it leads to a server which takes writes.</summary>
    internal bool IsProvenPrimary { get; set; }

    /// <summary>Whom to tell what happens while a connection is opened; <see langword="null"/> if nobody wants to know.</summary>
    internal EventReporter? Reporter { get; set; }

    /// <summary>The gate that the running attempt may have passed; <see langword="null"/> where nobody loses conflicts.</summary>
    internal UnitAdmission? Admission { get; set; }

    /// <summary>EF's connection of this context; <see langword="null"/> until EF makes one.</summary>
    internal IRelationalConnection? Connection { get; set; }

    /// <summary>The target session of a DSN with a single host: Npgsql refuses to carry it in the connection string.</summary>
    internal TargetSession? DeclaredTarget { get; set; }

    /// <summary>The host that served the latest open, if DbRetry chose it.</summary>
    internal HostRef? Host { get; set; }

    /// <summary>What that open was for.</summary>
    internal TargetSession? Target { get; private set; }

    internal AttemptPhase Phase => _phase is AttemptPhase.WritingAlone && _sql is not null && !StatementNature.MayWrite(_source, _sql)
        ? AttemptPhase.ReadingAlone
        : _phase;

    internal void BeginUnit(bool idempotent, bool requiresPrimary)
    {
        IsRunning = true;
        IsIdempotent = idempotent;
        RequiresPrimary = requiresPrimary;
        FirstFailureAt = null;
        NeedsProof = false;
        Refuted = [];
    }

    internal void BeginAttempt()
    {
        Enter(AttemptPhase.None);
        IsConnectionBroken = false;
        IsBare = false;
        ConnectionLoss = null;
        IsHostDistrusted = false;
        LostSession = null;
        FailureInTransaction = null;
        ServerIsReadOnly = null;
        IsProvenPrimary = false;
    }

    internal void BeginTransaction()
    {
        if (!IsRunning)
        {
            BeginAttempt();
        }

        MayHaveWritten = false;
        MayBeReadOnly = false;
        Identity = null;
        FailureInTransaction = null;
    }

    internal void EnterStatementInTransaction(CommandSource source, string sql)
    {
        Enter(AttemptPhase.InTransaction);
        MayHaveWritten = MayHaveWritten || StatementNature.MayWrite(source, sql);
        HasWritten = HasWritten || MayHaveWritten;
        MayBeReadOnly = MayBeReadOnly || StatementNature.MayForbidWrites(source, sql);
        if (Identity is not null && StatementNature.MayEndTransaction(source, sql))
        {
            Identity = null;
        }
    }

    internal void EndUnit()
    {
        IsRunning = false;
        Admission = null;
        IsIdempotent = false;
        RequiresPrimary = false;
        FirstFailureAt = null;
        LeftBehind = null;
        NeedsProof = false;
        Refuted = [];
    }

    /// <summary>A COMMIT had no effect, as somebody said; once more, if that was asked again.</summary>
    internal void Refute(RefutedCommit commit)
        => Refuted = [.. Refuted.Where(earlier => earlier.Proof != commit.Proof), commit];

    /// <summary>From now on the running unit believes no report.</summary>
    internal void DemandProof() => NeedsProof = true;

    internal void Failed(long timestamp) => FirstFailureAt ??= timestamp;

    internal void Enter(AttemptPhase phase)
    {
        _phase = phase;
        _sql = null;
    }

    internal void Opened(HostRef host, TargetSession target)
    {
        Host = host;
        Target = target;
    }

    /// <summary>The running unit turned out to write, and the host that served it takes no writes.</summary>
    internal void RequirePrimary() => RequiresPrimary = true;

    /// <summary>A statement outside a transaction starts; what its failure would mean is worked out only then.</summary>
    internal void EnterLoneStatement(CommandSource source, string sql)
    {
        _phase = AttemptPhase.WritingAlone;
        _source = source;
        _sql = sql;
        HasWritten = HasWritten || StatementNature.MayWrite(source, sql);
    }

    /// <summary>A statement has been answered in full; one in a transaction stays part of it.</summary>
    internal void FinishStatement()
    {
        if (_phase is AttemptPhase.WritingAlone)
        {
            Enter(AttemptPhase.None);
        }
    }

    /// <summary>A transaction or a statement of its own starts on a connection.</summary>
    internal void Use(NpgsqlConnection connection, long timestamp) => _session = ServerSession.Of(connection, timestamp);

    internal void Lost(NpgsqlConnection connection, Exception? exception)
    {
        Lost(exception);
        if (connection.IsBroken() && _session is { } session && ReferenceEquals(session.Connection, connection))
        {
            LostSession ??= session;
        }
    }

    /// <summary>Something failed on a connection that nobody else watches: if that is gone now, this is its loss.</summary>
    internal void NoteLoss(NpgsqlConnection connection, Exception exception)
    {
        if (connection.IsGone())
        {
            Lost(connection, exception);
        }
    }

    /// <summary>A transaction can neither be committed nor be taken part in once its connection is lost or a statement in it has failed.</summary>
    /// <exception cref="TransactionLostException">Its connection was lost before COMMIT. That leaves no doubt: the server rolls back what it was never asked to commit.</exception>
    /// <exception cref="TransactionFailedException">A statement in it failed.</exception>
    internal void ThrowIfOver(NpgsqlConnection connection)
    {
        if (connection.IsGone())
        {
            throw TransactionLostException.BeforeCommit(Host, ConnectionLoss);
        }

        if (ConnectorState.IsTransactionFailed(connection))
        {
            throw new TransactionFailedException(FailureInTransaction);
        }
    }

    internal void Lost(Exception? exception)
    {
        IsConnectionBroken = true;
        ConnectionLoss ??= exception;
    }

    /// <summary>A new connection takes the place of the lost one.</summary>
    internal void ForgetLoss()
    {
        IsConnectionBroken = false;
        ConnectionLoss = null;
        IsHostDistrusted = false;
        LostSession = null;
    }

    void IResettableService.ResetState() => Reset();

    Task IResettableService.ResetStateAsync(CancellationToken cancellationToken)
    {
        Reset();
        return Task.CompletedTask;
    }

    private void Reset()
    {
        EndUnit();
        BeginAttempt();
        Host = null;
        Target = null;
        HasWritten = false;
        _session = null;
    }
}
