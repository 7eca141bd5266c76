using DbRetry.EFCore.Retry;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class FirstFailureTests
{
    private readonly AttemptLog _log = new();
    private readonly NpgsqlException _loss = new("Exception while reading from stream", new EndOfStreamException());

    private static IEnumerable<object[]> FollowUps()
    {
        yield return [new InvalidOperationException("This NpgsqlTransaction has completed; it is no longer usable.")];
        yield return [new ObjectDisposedException("NpgsqlTransaction")];
        yield return [new AggregateException(new ObjectDisposedException("NpgsqlTransaction"))];
        yield return [TransactionLostException.BeforeCommit(null, null)];
    }

    private static IEnumerable<object[]> OwnFailures()
    {
        yield return [new CommitOutcomeUnknownException(null, new InvalidOperationException())];
        yield return [new InvalidDataException("the application's own")];
        yield return [new OperationCanceledException()];
    }

    [TestMethod]
    [DynamicData(nameof(FollowUps))]
    public void A_follow_up_of_a_lost_connection_is_judged_by_the_loss(Exception followUp)
    {
        _log.Lost(_loss);
        Assert.AreSame(_loss, FirstFailure.Of(followUp, _log));
    }

    [TestMethod]
    [DynamicData(nameof(FollowUps))]
    public void Without_a_loss_nothing_is_a_follow_up(Exception exception)
        => Assert.AreSame(exception, FirstFailure.Of(exception, _log));

    [TestMethod]
    [DynamicData(nameof(OwnFailures))]
    public void What_says_something_itself_is_judged_by_itself(Exception exception)
    {
        _log.Lost(_loss);
        Assert.AreSame(exception, FirstFailure.Of(exception, _log));
    }

    [TestMethod]
    public void The_first_loss_counts()
    {
        _log.Lost(_loss);
        _log.Lost(new NpgsqlException("later"));
        Assert.AreSame(_loss, FirstFailure.Of(new ObjectDisposedException("NpgsqlTransaction"), _log));
    }

    [TestMethod]
    public void A_refusal_to_go_on_in_a_failed_transaction_is_judged_by_what_failed_it()
    {
        var conflict = new PostgresException("could not serialize access", "ERROR", "ERROR", PostgresErrorCodes.SerializationFailure);
        var refusal = new PostgresException("current transaction is aborted", "ERROR", "ERROR", PostgresErrorCodes.InFailedSqlTransaction);
        Assert.AreSame(refusal, FirstFailure.Of(refusal, _log));

        _log.FailureInTransaction = conflict;
        Assert.AreSame(conflict, FirstFailure.Of(refusal, _log));
        Assert.AreSame(conflict, FirstFailure.Of(new TransactionFailedException(conflict), _log));
    }
}
