using System.Data;
using DbRetry.EFCore;
using DbRetry.EFCore.Transactions;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Transactions that behave like <see cref="System.Transactions.TransactionScope"/>, and units of work that survive retries.</summary>
public static class DbRetryTransactionScopeExtensions
{
    /// <summary>
    /// Begins a transaction that is committed by <see cref="DbRetryTransactionScope.Complete"/> and rolled back by disposal without it. In a transaction
    /// that is open already, the scope takes part in that one. What runs in it is never replayed: see
    /// <see cref="ExecuteInTransactionScope(DatabaseFacade, Action, IsolationLevel?, TransactionScopeMode)"/> for that.
    /// </summary>
    /// <param name="database">The database of the context.</param>
    /// <param name="isolationLevel">The isolation level; by default <c>READ COMMITTED</c>, or that of the open transaction.</param>
    /// <param name="mode">Whether the transaction may write.</param>
    /// <returns>The scope, to be disposed.</returns>
    /// <exception cref="InvalidOperationException">
    /// The context was configured without DbRetry, or a transaction of another isolation level or mode is open.
    /// </exception>
    /// <exception cref="ArgumentException">The mode and the isolation level contradict each other.</exception>
    public static DbRetryTransactionScope BeginTransactionScope(
        this DatabaseFacade database, IsolationLevel? isolationLevel = null, TransactionScopeMode mode = TransactionScopeMode.ReadWrite)
    {
        ArgumentNullException.ThrowIfNull(database);
        return OpenScopes.Of(database).Begin(isolationLevel, mode);
    }

    /// <inheritdoc cref="BeginTransactionScope"/>
    /// <param name="database">The database of the context.</param>
    /// <param name="isolationLevel">The isolation level; by default <c>READ COMMITTED</c>, or that of the open transaction.</param>
    /// <param name="cancellationToken">Cancels the wait for a connection.</param>
    public static Task<DbRetryTransactionScope> BeginTransactionScopeAsync(
        this DatabaseFacade database, IsolationLevel? isolationLevel = null, CancellationToken cancellationToken = default)
        => BeginTransactionScopeAsync(database, isolationLevel, TransactionScopeMode.ReadWrite, cancellationToken);

    /// <inheritdoc cref="BeginTransactionScope"/>
    /// <param name="database">The database of the context.</param>
    /// <param name="isolationLevel">The isolation level; by default <c>READ COMMITTED</c>, or that of the open transaction.</param>
    /// <param name="mode">Whether the transaction may write.</param>
    /// <param name="cancellationToken">Cancels the wait for a connection.</param>
    public static Task<DbRetryTransactionScope> BeginTransactionScopeAsync(
        this DatabaseFacade database, IsolationLevel? isolationLevel, TransactionScopeMode mode, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(database);
        return OpenScopes.Of(database).BeginAsync(isolationLevel, mode, cancellationToken);
    }

    /// <summary>
    /// Runs an operation in a transaction scope and completes it; after a failure that a replay may cure, runs it again as a whole. Before each replay,
    /// and when the unit fails for good, the change tracker is put back to what it was before the unit: entities that were added are added again with the
    /// keys they had, those that the operation attached are gone, and values, states and relationships are what they were.
    /// </summary>
    /// <remarks>
    /// Inside an open transaction it runs once, as a part of that one. When the outcome of a commit is unknown, the tracker is left as the operation left
    /// it. Effects that are neither in the database nor in tracked entities are repeated with the operation.
    /// </remarks>
    /// <param name="database">The database of the context.</param>
    /// <param name="operation">The unit. It saves by itself.</param>
    /// <param name="isolationLevel">The isolation level; by default <c>READ COMMITTED</c>, or that of the open transaction.</param>
    /// <param name="mode">Whether the transaction may write.</param>
    /// <exception cref="InvalidOperationException">
    /// The context was configured without DbRetry, or a transaction of another isolation level or mode is open.
    /// </exception>
    /// <exception cref="ArgumentException">The mode and the isolation level contradict each other.</exception>
    /// <exception cref="CommitOutcomeUnknownException">It could not be established whether the transaction is committed.</exception>
    /// <exception cref="Storage.RetryLimitExceededException">The unit failed in every attempt; nothing of it was applied.</exception>
    public static void ExecuteInTransactionScope(
        this DatabaseFacade database,
        Action operation,
        IsolationLevel? isolationLevel = null,
        TransactionScopeMode mode = TransactionScopeMode.ReadWrite)
    {
        ArgumentNullException.ThrowIfNull(operation);
        ExecuteInTransactionScope(
            database,
            () =>
            {
                operation();
                return true;
            },
            isolationLevel,
            mode);
    }

    /// <inheritdoc cref="ExecuteInTransactionScope(DatabaseFacade, Action, IsolationLevel?, TransactionScopeMode)"/>
    /// <typeparam name="TResult">The type of the result.</typeparam>
    /// <returns>What the operation returned in the attempt that was committed.</returns>
    public static TResult ExecuteInTransactionScope<TResult>(
        this DatabaseFacade database,
        Func<TResult> operation,
        IsolationLevel? isolationLevel = null,
        TransactionScopeMode mode = TransactionScopeMode.ReadWrite)
    {
        ArgumentNullException.ThrowIfNull(database);
        ArgumentNullException.ThrowIfNull(operation);
        return typeof(Task).IsAssignableFrom(typeof(TResult))
            ? throw new ArgumentException(
                "The operation is asynchronous: it would be committed before it has ended. Call ExecuteInTransactionScopeAsync.", nameof(operation))
            : new ReplayableUnit(database, isolationLevel, mode).Run(operation);
    }

    /// <inheritdoc cref="ExecuteInTransactionScope(DatabaseFacade, Action, IsolationLevel?, TransactionScopeMode)"/>
    /// <param name="database">The database of the context.</param>
    /// <param name="operation">The unit. It saves by itself.</param>
    /// <param name="isolationLevel">The isolation level; by default <c>READ COMMITTED</c>, or that of the open transaction.</param>
    /// <param name="cancellationToken">Cancels the unit; passed to the operation.</param>
    /// <returns>A task that ends when the unit is committed.</returns>
    public static Task ExecuteInTransactionScopeAsync(
        this DatabaseFacade database,
        Func<CancellationToken, Task> operation,
        IsolationLevel? isolationLevel = null,
        CancellationToken cancellationToken = default)
        => ExecuteInTransactionScopeAsync(database, operation, isolationLevel, TransactionScopeMode.ReadWrite, cancellationToken);

    /// <inheritdoc cref="ExecuteInTransactionScopeAsync(DatabaseFacade, Func{CancellationToken, Task}, IsolationLevel?, CancellationToken)"/>
    /// <param name="database">The database of the context.</param>
    /// <param name="operation">The unit. It saves by itself.</param>
    /// <param name="isolationLevel">The isolation level; by default <c>READ COMMITTED</c>, or that of the open transaction.</param>
    /// <param name="mode">Whether the transaction may write.</param>
    /// <param name="cancellationToken">Cancels the unit; passed to the operation.</param>
    public static Task ExecuteInTransactionScopeAsync(
        this DatabaseFacade database,
        Func<CancellationToken, Task> operation,
        IsolationLevel? isolationLevel,
        TransactionScopeMode mode,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(operation);
        return ExecuteInTransactionScopeAsync(
            database,
            async token =>
            {
                await operation(token).ConfigureAwait(true);
                return true;
            },
            isolationLevel,
            mode,
            cancellationToken);
    }

    /// <inheritdoc cref="ExecuteInTransactionScopeAsync(DatabaseFacade, Func{CancellationToken, Task}, IsolationLevel?, CancellationToken)"/>
    /// <typeparam name="TResult">The type of the result.</typeparam>
    /// <returns>What the operation returned in the attempt that was committed.</returns>
    public static Task<TResult> ExecuteInTransactionScopeAsync<TResult>(
        this DatabaseFacade database,
        Func<CancellationToken, Task<TResult>> operation,
        IsolationLevel? isolationLevel = null,
        CancellationToken cancellationToken = default)
        => ExecuteInTransactionScopeAsync(database, operation, isolationLevel, TransactionScopeMode.ReadWrite, cancellationToken);

    /// <inheritdoc cref="ExecuteInTransactionScopeAsync(DatabaseFacade, Func{CancellationToken, Task}, IsolationLevel?, TransactionScopeMode, CancellationToken)"/>
    /// <typeparam name="TResult">The type of the result.</typeparam>
    /// <returns>What the operation returned in the attempt that was committed.</returns>
    public static Task<TResult> ExecuteInTransactionScopeAsync<TResult>(
        this DatabaseFacade database,
        Func<CancellationToken, Task<TResult>> operation,
        IsolationLevel? isolationLevel,
        TransactionScopeMode mode,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(database);
        ArgumentNullException.ThrowIfNull(operation);
        return new ReplayableUnit(database, isolationLevel, mode).RunAsync(operation, cancellationToken);
    }

    /// <inheritdoc cref="ExecuteInTransactionScopeAsync(DatabaseFacade, Func{CancellationToken, Task}, IsolationLevel?, CancellationToken)"/>
    /// <param name="database">The database of the context.</param>
    /// <param name="operation">The unit. It saves by itself.</param>
    /// <param name="isolationLevel">The isolation level; by default <c>READ COMMITTED</c>, or that of the open transaction.</param>
    /// <param name="cancellationToken">Cancels the unit between its steps.</param>
    public static Task ExecuteInTransactionScopeAsync(
        this DatabaseFacade database, Func<Task> operation, IsolationLevel? isolationLevel = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(operation);
        return ExecuteInTransactionScopeAsync(database, _ => operation(), isolationLevel, cancellationToken);
    }

    /// <inheritdoc cref="ExecuteInTransactionScopeAsync(DatabaseFacade, Func{Task}, IsolationLevel?, CancellationToken)"/>
    /// <typeparam name="TResult">The type of the result.</typeparam>
    /// <returns>What the operation returned in the attempt that was committed.</returns>
    public static Task<TResult> ExecuteInTransactionScopeAsync<TResult>(
        this DatabaseFacade database, Func<Task<TResult>> operation, IsolationLevel? isolationLevel = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(operation);
        return ExecuteInTransactionScopeAsync(database, _ => operation(), isolationLevel, cancellationToken);
    }
}
