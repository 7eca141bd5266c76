#pragma warning disable EF1001 // NpgsqlRelationalConnection: the provider casts EF's connection to its own interface, so it must be derived from.
using System.Data;
using System.Data.Common;
using DbRetry.EFCore.Buffering;
using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Targets;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Storage.Internal;

namespace DbRetry.EFCore.Seams;

/// <summary>A connection that was lost inside a transaction refuses to reopen until that transaction has ended.</summary>
/// <remarks>
/// EF forgets the lost transaction and reopens (EFCore.Relational/Storage/RelationalConnection.cs, Open and OpenAsync), so that what
/// follows runs outside it and is committed statement by statement, although the first half is gone. Nothing may be retried before that is
/// closed. See ServerBehavior/BrokenTransactionFacts for EF without this seam.
/// </remarks>
internal sealed class ReopenRefusingConnection : NpgsqlRelationalConnection
{
    private readonly RelationalCommandBuilderDependencies _commands;
    private readonly int _readAheadRows;
    private ReadAheadReader? _reading;
    private DbConnection? _given;
    private string? _examined;
    private bool _mayEnlist = true;
    private RoutedCommand? _command;

    public ReopenRefusingConnection(
        RelationalConnectionDependencies dependencies,
        NpgsqlDataSourceManager dataSourceManager,
        IDbContextOptions options,
        ContextSettings settings,
        AttemptLog log,
        CommitGuard guard,
        AttemptRecorder recorder,
        LoneStatements loneStatements,
        RelationalCommandBuilderDependencies commands,
        SessionTargets targets,
        IExecutionStrategyFactory strategies)
        : base(dependencies, dataSourceManager, options)
    {
        Log = log;
        Guard = guard;
        Recorder = recorder;
        LoneStatements = loneStatements;
        Targets = targets;
        Strategies = strategies;
        IsGuarded = settings.Settings is not null;
        _commands = commands;
        _readAheadRows = settings.Settings is { Buffering: ResultBuffering.ReadAhead, ReadAheadRows: var rows } ? rows : 0;
        _given = RelationalOptionsExtension.Extract(options).Connection;
        log.Connection = this;
    }

    internal AttemptLog Log { get; }

    internal CommitGuard Guard { get; }

    internal AttemptRecorder Recorder { get; }

    internal LoneStatements LoneStatements { get; }

    internal SessionTargets Targets { get; }

    internal IExecutionStrategyFactory Strategies { get; }

    /// <summary>Whether the context asked for DbRetry.</summary>
    internal bool IsGuarded { get; }

    // EF closes connections that are not open, too.
    private HostRef? Returning => Log.Host is { Route.Herd.IsStarting: true } host && DbConnection.State is ConnectionState.Open ? host : null;

    private bool IsPending => IsGuarded && AbandonedOpens.IsPending((NpgsqlConnection)DbConnection);

    public override bool Open(bool errorsExpected = false)
    {
        AbandonedOpens.WaitUntilFinished((NpgsqlConnection)DbConnection);
        BeforeOpen();
        return base.Open(errorsExpected);
    }

    public override Task<bool> OpenAsync(CancellationToken cancellationToken, bool errorsExpected = false)
    {
        if (IsPending)
        {
            return OpenAfterwardsAsync(errorsExpected, cancellationToken);
        }

        BeforeOpen();
        return base.OpenAsync(cancellationToken, errorsExpected);
    }

    public override IDbContextTransaction BeginTransaction(IsolationLevel isolationLevel)
    {
        ReadRest();
        return base.BeginTransaction(isolationLevel);
    }

    public override Task<IDbContextTransaction> BeginTransactionAsync(IsolationLevel isolationLevel, CancellationToken cancellationToken = default)
    {
        return _reading is null ? base.BeginTransactionAsync(isolationLevel, cancellationToken) : ReadRestAndBeginAsync();

        async Task<IDbContextTransaction> ReadRestAndBeginAsync()
        {
            await ReadRestAsync(cancellationToken).ConfigureAwait(false);
            return await base.BeginTransactionAsync(isolationLevel, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <remarks>EF rents one for each query and gives it back when the result is read.</remarks>
    public override IRelationalCommand RentCommand()
    {
        if (!IsGuarded)
        {
            return base.RentCommand();
        }

        var command = _command
            ?? new RoutedCommand(_readAheadRows == 0 ? base.RentCommand() : new ReadAheadCommand(_commands, this, _readAheadRows), Targets);
        _command = null;
        return command;
    }

    public override void ReturnCommand(IRelationalCommand command)
    {
        if (command is RoutedCommand routed)
        {
            _command ??= routed;
        }
        else
        {
            base.ReturnCommand(command);
        }
    }

    public override bool Close()
    {
        NoteLoss();
        return base.Close();
    }

    public override Task<bool> CloseAsync()
    {
        NoteLoss();
        return base.CloseAsync();
    }

    /// <remarks>Database.SetConnectionString comes here, past the resolver that the constructor asks.</remarks>
    public override string? ConnectionString
    {
        get => base.ConnectionString;
        set
        {
            Log.DeclaredTarget = null;
            base.ConnectionString = value is null || !IsGuarded ? value : Dependencies.ConnectionStringResolver.ResolveConnectionString(value);
        }
    }

    /// <remarks>EF asks several times per command, and the provider looks through the whole string each time (NpgsqlRelationalConnection.cs).</remarks>
    public override System.Transactions.Transaction? CurrentAmbientTransaction
    {
        get
        {
            var connectionString = ConnectionString;
            if (!ReferenceEquals(connectionString, _examined))
            {
                _mayEnlist = connectionString?.Contains("Enlist=false", StringComparison.OrdinalIgnoreCase) is not true;
                _examined = connectionString;
            }

            return _mayEnlist ? System.Transactions.Transaction.Current : null;
        }
    }

    public override void SetDbConnection(DbConnection? value, bool contextOwnsConnection)
    {
        _given = value;
        base.SetDbConnection(value, contextOwnsConnection);
    }

    /// <summary>The connection is busy with a result from now on, of which more is to come.</summary>
    internal void Reads(ReadAheadReader result) => _reading = result;

    /// <summary>Makes the connection free for something else: a driver does one thing at a time.</summary>
    internal void ReadRest()
    {
        if (_reading is { } reading)
        {
            _reading = null;
            reading.ReadRest();
        }
    }

    /// <inheritdoc cref="ReadRest"/>
    internal ValueTask ReadRestAsync(CancellationToken cancellationToken)
    {
        if (_reading is not { } reading)
        {
            return ValueTask.CompletedTask;
        }

        _reading = null;
        return reading.ReadRestAsync(cancellationToken);
    }

    /// <summary>Whether the application passed a connection in.</summary>
    internal bool IsGivenAny => _given is not null;

    /// <summary>Whether it is this one that the application passed in.</summary>
    internal bool IsGiven(DbConnection connection) => ReferenceEquals(_given, connection);

    protected override void CloseDbConnection()
    {
        if (IsPending)
        {
            return;
        }

        var returned = Returning;
        base.CloseDbConnection();
        returned?.Returned();
    }

    protected override Task CloseDbConnectionAsync()
    {
        return IsPending ? Task.CompletedTask : Returning is { } returned ? CloseAsync(returned) : base.CloseDbConnectionAsync();

        async Task CloseAsync(HostRef returned)
        {
            await base.CloseDbConnectionAsync().ConfigureAwait(false);
            returned.Returned();
        }
    }

    protected override void DisposeDbConnection()
    {
        if (IsPending)
        {
            AbandonedOpens.DisposeWhenFinished((NpgsqlConnection)DbConnection);
            return;
        }

        base.DisposeDbConnection();
    }

    protected override ValueTask DisposeDbConnectionAsync()
    {
        if (IsPending)
        {
            AbandonedOpens.DisposeWhenFinished((NpgsqlConnection)DbConnection);
            return ValueTask.CompletedTask;
        }

        return base.DisposeDbConnectionAsync();
    }

    private async Task<bool> OpenAfterwardsAsync(bool errorsExpected, CancellationToken cancellationToken)
    {
        await AbandonedOpens.FinishedAsync((NpgsqlConnection)DbConnection).WaitAsync(cancellationToken).ConfigureAwait(false);
        return await OpenAsync(cancellationToken, errorsExpected).ConfigureAwait(false);
    }

    // A failure while EF reads a result into its buffer raises no event at all (EFCore.Relational/Storage/RelationalCommand.cs, ExecuteReader); this is
    // where EF cleans up after it, and the last moment at which the connection shows that it broke.
    private void NoteLoss()
    {
        _reading = _reading is { IsClosed: true } ? null : _reading;
        if (IsGuarded && DbConnection is NpgsqlConnection connection && connection.IsBroken())
        {
            Log.Lost(connection, null);
        }
    }

    private void BeforeOpen()
    {
        if (!IsGuarded || !((NpgsqlConnection)DbConnection).IsGone())
        {
            return;
        }

        if (CurrentTransaction is not null)
        {
            throw TransactionLostException.BeforeCommit(Log.Host, Log.ConnectionLoss);
        }

        if (Log.IsRunning)
        {
            // The work has survived the loss of the connection before: what fails from here on is no consequence of it.
            Log.ForgetLoss();
        }
        else
        {
            // No unit begins here that would forget what became of the connection before.
            Log.BeginAttempt();
        }
    }
}
