using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Retry;

/// <summary>One walk through an exception and those inside it, by the built-in rules alone.</summary>
/// <param name="opening">Whether a connection was being opened.</param>
/// <param name="connectionBroken">Whether the connection is broken.</param>
internal sealed class FailureExamination(bool opening, bool connectionBroken)
{
    private readonly ClientShapes _shapes = new(connectionBroken);
    private bool _opening = opening;
    private int _left = ExceptionChain.MaxLength;

    /// <summary>What the exception is; permanent when nothing in it is known.</summary>
    internal Failure Conclude(Exception exception)
        => Examine(exception) ?? _shapes.Describe(FailureKind.Permanent, "no failure of the database or of the way to it", exception);

    private Failure? Examine(Exception exception)
        => _left-- <= 0
            ? null
            : exception switch
            {
                // The server was asked, and that is all that can be had.
                CommitOutcomeUnknownException => new Failure(
                    FailureKind.OutcomeUnknown, "the outcome of a commit could not be established", null, exception, ServerAnswer.Complete),
                TransactionLostException => _shapes.Describe(
                    FailureKind.LostConnection, "the connection was lost inside a transaction", exception),
                SupersededPrimaryException => _shapes.Describe(
                    FailureKind.ReadOnlyHost, "another primary has taken the place of the host", exception),
                NoSuitableHostException none => ExamineHosts(none),
                RetryLimitExceededException => _shapes.Describe(
                    FailureKind.Permanent, "another strategy has retried it already, and retries must not multiply", exception),
                DbUpdateConcurrencyException => _shapes.Describe(
                    FailureKind.Permanent, "the row was changed or deleted meanwhile: the application has to decide", exception),
                OperationCanceledException cancelled when !IsTimeout(cancelled) => _shapes.Describe(
                    FailureKind.Cancelled,
                    cancelled.CancellationToken.IsCancellationRequested ? "the caller cancelled" : "the operation was cancelled",
                    exception),
                PostgresException error => ServerErrors.Read(error, _opening),
                NpgsqlException { InnerException: AggregateException hosts } => ExamineHosts(exception, hosts.InnerExceptions),
                AggregateException several => ExamineAll(several),
                _ => _shapes.Recognise(exception, _opening) ?? ExamineInner(exception),
            };

    private Failure? ExamineInner(Exception exception)
        => exception.InnerException is { } inner && Examine(inner) is { } failure
            ? failure
            : _shapes.RecognisePartly(exception);

    /// <summary>Npgsql gives its own cancellations the caller's token (NpgsqlReadBuffer.cs:241), so this is somebody else's time limit.</summary>
    private static bool IsTimeout(OperationCanceledException cancelled)
        => cancelled.InnerException is TimeoutException && !cancelled.CancellationToken.IsCancellationRequested;

    /// <summary>Independent failures: the one that forbids most decides, and a missing answer to any of them is missing to all.</summary>
    private Failure? ExamineAll(AggregateException several)
    {
        Failure? worst = null;
        var answer = ServerAnswer.Complete;
        foreach (var part in several.InnerExceptions)
        {
            var failure = Conclude(part);
            answer = failure.Answer < answer ? failure.Answer : answer;
            worst = worst is { } known && Severity(known.Kind) <= Severity(failure.Kind) ? worst : failure;
        }

        return worst is { } decided ? decided with { Answer = answer } : null;
    }

    private Failure ExamineHosts(NoSuitableHostException none)
    {
        var errors = new List<Exception>(none.Hosts.Count);
        foreach (var host in none.Hosts)
        {
            // A host that answered and merely has the wrong role may have the right one in a moment.
            if (host.Error is null)
            {
                return Unavailable(none);
            }

            errors.Add(host.Error);
        }

        return ExamineHosts(none, errors);
    }

    /// <summary>
    /// All hosts of one cluster failed ("Unable to connect to a suitable host", NpgsqlMultiHostDataSource.cs:329). They share users, passwords and
    /// databases, so what the hosts that answered agree on is permanent even while others are down; one that is merely starting is worth waiting for.
    /// </summary>
    private Failure ExamineHosts(Exception outer, IReadOnlyList<Exception> errors)
    {
        _opening = true;
        Failure? refusal = null;
        Failure? hopeless = null;
        var hope = errors.Count == 0;
        foreach (var error in errors)
        {
            var failure = Conclude(error);
            switch (failure)
            {
                case { Kind: FailureKind.OutcomeUnknown or FailureKind.Cancelled }:
                    return failure;
                case { Deciding: PostgresException, IsRetriable: true }:
                    return Unavailable(outer);
                case { Deciding: PostgresException }:
                    refusal ??= failure;
                    break;
                case { IsRetriable: true }:
                    hope = true;
                    break;
                default:
                    hopeless ??= failure;
                    break;
            }
        }

        return refusal ?? (hope ? Unavailable(outer) : hopeless!.Value);
    }

    private Failure Unavailable(Exception exception)
        => _shapes.Describe(FailureKind.HostUnavailable, "none of the hosts can serve this session now", exception);

    /// <summary>
    /// What must not be lost from sight comes first: a doubt, then the caller's wish, then that a repetition would fail again. Among the retriable
    /// ones a lost connection says most about what there is to wait for, and a conflict least.
    /// </summary>
    private static int Severity(FailureKind kind)
        => kind switch
        {
            FailureKind.OutcomeUnknown => 0,
            FailureKind.Cancelled => 1,
            FailureKind.Permanent => 2,
            FailureKind.LostConnection => 3,
            FailureKind.ReadOnlyHost => 4,
            FailureKind.HostUnavailable => 5,
            _ => 6,
        };
}
