using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Testing;

/// <summary>
/// Faults for tests: what is planned here happens to the contexts that were configured with <c>UseDbRetryFaults</c>, on a real PostgreSQL server and
/// without a proxy. Connections really break, transactions really fail, and a COMMIT whose answer is lost has really been carried out.
/// </summary>
/// <remarks>
/// <para>
/// Each call plans one fault, for the next times that a context comes to its place; at each place the fault that was planned first happens, and one at a
/// time. Statements are counted from 1 within a transaction, each attempt anew; a statement outside of one has number 1. Savepoints, migrations, and what
/// DbRetry itself asks the server do not count.
/// </para>
/// <para>It can be used by many threads at a time.</para>
/// </remarks>
public sealed class DbRetryFaults
{
    private readonly DbContext? _only;
    private readonly bool _inEveryUnit;

    /// <summary>Plans nothing yet.</summary>
    public DbRetryFaults()
        : this(new FaultSchedule(), null, inEveryUnit: false)
    {
    }

    private DbRetryFaults(FaultSchedule schedule, DbContext? only, bool inEveryUnit)
    {
        Schedule = schedule;
        _only = only;
        _inEveryUnit = inEveryUnit;
    }

    /// <summary>What was injected so far, in this order.</summary>
    public IReadOnlyList<DbRetryFault> Injected => Schedule.Injected;

    internal FaultSchedule Schedule { get; }

    /// <summary>The same faults, planned for one context only.</summary>
    /// <param name="context">The context that is to be hit.</param>
    /// <returns>What to call instead of this instance; it shares plans and counts with it.</returns>
    public DbRetryFaults In(DbContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return new(Schedule, context, _inEveryUnit);
    }

    /// <summary>
    /// The same faults, planned for every unit from now on: each is hit in the first <c>times</c> of its attempts that come to the place. Outside of a
    /// unit of DbRetry's, the count begins anew with each commit.
    /// </summary>
    /// <returns>What to call instead of this instance; it shares plans and counts with it.</returns>
    public DbRetryFaults InEveryUnit() => new(Schedule, _only, inEveryUnit: true);

    /// <summary>The connection breaks before a statement is sent: the server never sees it, and rolls back what the transaction did before.</summary>
    /// <param name="statement">Which statement, counted from 1 within its transaction.</param>
    /// <param name="times">How often.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is less than 1.</exception>
    public void LoseConnectionBefore(int statement = 1, int times = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(statement, 1);
        Plan(DbRetryFaultKind.ConnectionLost, times, statement);
    }

    /// <summary>
    /// The connection breaks before COMMIT is sent; a statement that EF runs outside of a transaction is not sent. The client cannot know that, so it is
    /// in doubt as after <see cref="CommitThenLoseAcknowledgement"/>, but nothing was committed.
    /// </summary>
    /// <param name="times">How often.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="times"/> is less than 1.</exception>
    public void LoseConnectionBeforeCommit(int times = 1) => Plan(DbRetryFaultKind.ConnectionLost, times);

    /// <summary>
    /// The server commits, and the connection breaks before anybody is told; the same for a statement that commits itself. Running the unit again applies
    /// it twice: with <see cref="CommitVerification"/> other than <see cref="CommitVerification.None"/>, DbRetry does not.
    /// </summary>
    /// <param name="times">How often.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="times"/> is less than 1.</exception>
    public void CommitThenLoseAcknowledgement(int times = 1) => Plan(DbRetryFaultKind.AcknowledgementLost, times);

    /// <summary>
    /// The server answers with a conflict, and the transaction has failed. By default it speaks at COMMIT, when everything that the unit does has been done
    /// once; a writing statement that EF runs outside of a transaction is answered in place of being run.
    /// </summary>
    /// <param name="times">How often.</param>
    /// <param name="sqlState"><c>40001</c>, a serialization failure, or <c>40P01</c>, a deadlock.</param>
    /// <param name="beforeStatement">The statement in whose place it speaks, counted from 1 within its transaction.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is less than 1.</exception>
    /// <exception cref="ArgumentException"><paramref name="sqlState"/> is neither.</exception>
    public void Conflict(int times = 1, string sqlState = PostgresErrorCodes.SerializationFailure, int? beforeStatement = null)
    {
        if (sqlState is not (PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected))
        {
            throw new ArgumentException($"'{sqlState}' is no conflict: use 40001 or 40P01.", nameof(sqlState));
        }

        if (beforeStatement is { } statement)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(statement, 1, nameof(beforeStatement));
        }

        Plan(DbRetryFaultKind.Conflict, times, beforeStatement, sqlState);
    }

    /// <summary>
    /// The server takes no more writes, as one that is a standby now: in the next transaction, or outside of one, a statement that writes is answered with
    /// <c>25006</c>. A new connection finds a primary again, as if the failover were over. A transaction that only reads is hit without noticing it.
    /// </summary>
    /// <param name="times">How often.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="times"/> is less than 1.</exception>
    public void DemotePrimary(int times = 1) => Plan(DbRetryFaultKind.PrimaryDemoted, times);

    /// <summary>Makes sure that everything that was planned has happened: a test whose fault was never hit has tested nothing.</summary>
    /// <exception cref="InvalidOperationException">Something has not; the message names what.</exception>
    public void AssertAllHit()
    {
        if (Schedule.DescribeLeft() is { } left)
        {
            throw new InvalidOperationException(left);
        }
    }

    /// <summary>Forgets what was planned and what was injected.</summary>
    public void Clear() => Schedule.Clear();

    private void Plan(DbRetryFaultKind kind, int times, int? statement = null, string? sqlState = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(times, 1);
        Schedule.Add(new PlannedFault(kind, times, statement, sqlState, _only, _inEveryUnit));
    }
}
