using System.Collections.Frozen;
using System.Net.Sockets;
using System.Reflection;
using System.Security.Authentication;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class FailureClassifierTests
{
    private static IEnumerable<object[]> Shapes()
    {
        var cancelled = new CancellationToken(canceled: true);
        var aborted = new IOException("read", new SocketException((int)SocketError.ConnectionReset));

        // name, exception, opening, broken, kind, answer
        yield return Row("FIN", Wrapped(new EndOfStreamException()), false, true, FailureKind.LostConnection, ServerAnswer.Missing);
        yield return Row("RST", Wrapped(aborted), false, true, FailureKind.LostConnection, ServerAnswer.Missing);
        yield return Row("RST, state unknown", Wrapped(aborted), false, false, FailureKind.LostConnection, ServerAnswer.Missing);
        yield return Row("RST in the handshake", Wrapped(aborted), true, false, FailureKind.HostUnavailable, ServerAnswer.Complete);
        yield return Row("TLS cut", Npgsql("SSL", new IOException("eof")), true, false, FailureKind.HostUnavailable, ServerAnswer.Complete);
        yield return Row("bad certificate", Npgsql("SSL", new AuthenticationException()), true, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("bad certificate, phase unknown", Npgsql("SSL", new AuthenticationException()), false, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("bare bad certificate", new AuthenticationException(), true, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("disposed stream", Wrapped(new ObjectDisposedException("stream")), false, true, FailureKind.LostConnection, ServerAnswer.Missing);
        yield return Row("GSS cut", Npgsql("GSS", Wrapped(aborted)), true, false, FailureKind.HostUnavailable, ServerAnswer.Complete);
        yield return Row("unknown inner, broken", Wrapped(new NotSupportedException()), false, true, FailureKind.LostConnection, ServerAnswer.Missing);
        yield return Row("unknown inner, open", Wrapped(new NotSupportedException()), false, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("missing certificate file", new FileNotFoundException(), true, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("wrapped missing file", Npgsql("password provider", new FileNotFoundException()), true, false, FailureKind.Permanent, ServerAnswer.Complete);

        yield return Row("command timeout, cancelled by the server", Wrapped(new TimeoutException()), false, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("command timeout, black hole", Wrapped(new TimeoutException()), false, true, FailureKind.LostConnection, ServerAnswer.Missing);
        yield return Row("handshake timeout", Wrapped(new TimeoutException()), true, false, FailureKind.HostUnavailable, ServerAnswer.Complete);
        yield return Row("connect timeout, phase unknown", Npgsql("Failed", new TimeoutException("Timeout during connection attempt")), false, false, FailureKind.HostUnavailable, ServerAnswer.Complete);
        yield return Row("pool exhausted", Npgsql("The connection pool has been exhausted, either", new TimeoutException()), true, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("slow DNS", new TimeoutException(), true, false, FailureKind.HostUnavailable, ServerAnswer.Complete);
        yield return Row("the application's own timeout", new TimeoutException(), false, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("bare timeout, broken", new TimeoutException(), false, true, FailureKind.LostConnection, ServerAnswer.Missing);

        foreach (var error in new[]
        {
            SocketError.ConnectionRefused, SocketError.HostUnreachable, SocketError.NetworkUnreachable, SocketError.HostNotFound, SocketError.TryAgain,
            SocketError.NoData, SocketError.AddressNotAvailable, SocketError.TimedOut, SocketError.ConnectionReset, SocketError.HostDown,
        })
        {
            yield return Row($"{error}", Npgsql("connect", new SocketException((int)error)), false, false, FailureKind.HostUnavailable, ServerAnswer.Complete);
            yield return Row($"bare {error}", new SocketException((int)error), true, false, FailureKind.HostUnavailable, ServerAnswer.Complete);
        }

        foreach (var error in new[] { SocketError.AccessDenied, SocketError.AddressFamilyNotSupported, SocketError.TooManyOpenSockets })
        {
            yield return Row($"{error}", Npgsql("connect", new SocketException((int)error)), true, false, FailureKind.Permanent, ServerAnswer.Complete);
        }

        yield return Row("a web service refuses", new HttpRequestException("get", new SocketException((int)SocketError.ConnectionRefused)), false, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("a file cannot be read", new IOException(), false, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("bare IO, broken", new IOException(), false, true, FailureKind.LostConnection, ServerAnswer.Missing);
        yield return Row("bare socket, broken", new SocketException((int)SocketError.ConnectionReset), false, true, FailureKind.LostConnection, ServerAnswer.Missing);
        yield return Row("kill under load", new ObjectDisposedException(typeof(ManualResetEventSlim).FullName), false, true, FailureKind.LostConnection, ServerAnswer.Missing);
        yield return Row("closed by its pool as it was taken", new ObjectDisposedException(typeof(ManualResetEventSlim).FullName), false, false, FailureKind.LostConnection, ServerAnswer.Missing);
        yield return Row("kill while opening", new ObjectDisposedException(typeof(ManualResetEventSlim).FullName), true, false, FailureKind.HostUnavailable, ServerAnswer.Complete);
        yield return Row("disposed data source", new ObjectDisposedException("NpgsqlDataSource"), true, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("disposed transaction", new ObjectDisposedException("NpgsqlTransaction"), false, false, FailureKind.Permanent, ServerAnswer.Complete);

        yield return Row("no suitable host", new NpgsqlException("No suitable host was found."), false, false, FailureKind.HostUnavailable, ServerAnswer.Complete);
        yield return Row("TLS is required", new NpgsqlException("SSL connection requested. No SSL enabled connection from this host is configured."), true, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("misuse", new InvalidOperationException("Connection already open"), false, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("misuse, broken", new InvalidOperationException(), false, true, FailureKind.Permanent, ServerAnswer.Missing);

        yield return Row("EF's transient wrapper", new InvalidOperationException("likely transient", Wrapped(aborted)), false, true, FailureKind.LostConnection, ServerAnswer.Missing);
        yield return Row("DbUpdateException", new DbUpdateException("save", Server("23505")), false, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("DbUpdateException of a conflict", new DbUpdateException("save", Server("40001")), false, false, FailureKind.Conflict, ServerAnswer.Complete);
        yield return Row("concurrency", new DbUpdateConcurrencyException("0 rows", Server("40001")), false, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("retried already", new RetryLimitExceededException("gave up", Wrapped(aborted)), false, false, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("deep", new InvalidOperationException("a", new InvalidOperationException("b", Server("40P01"))), false, false, FailureKind.Conflict, ServerAnswer.Complete);

        yield return Row("cancelled by token", new OperationCanceledException(cancelled), false, false, FailureKind.Cancelled, ServerAnswer.Complete);
        yield return Row("cancelled in the middle of COMMIT", new OperationCanceledException("Query was cancelled", new TimeoutException(), cancelled), false, true, FailureKind.Cancelled, ServerAnswer.Missing);
        yield return Row("cancelled by the server on request", new OperationCanceledException("Query was cancelled", Server("57014"), cancelled), false, false, FailureKind.Cancelled, ServerAnswer.Complete);
        yield return Row("cancelled without a token", new TaskCanceledException(), false, false, FailureKind.Cancelled, ServerAnswer.Complete);
        yield return Row("cancelled TLS handshake", Npgsql("SSL", new OperationCanceledException(cancelled)), true, false, FailureKind.Cancelled, ServerAnswer.Complete);
        yield return Row("a web service's time-out", new TaskCanceledException("", new TimeoutException()), false, false, FailureKind.Permanent, ServerAnswer.Complete);

        yield return Row("ours: unknown", new CommitOutcomeUnknownException("h", Wrapped(aborted)), false, true, FailureKind.OutcomeUnknown, ServerAnswer.Complete);
        yield return Row("ours: unknown, wrapped", new DbUpdateException("save", new CommitOutcomeUnknownException(null, null)), false, false, FailureKind.OutcomeUnknown, ServerAnswer.Complete);

        yield return Row("terminated", Server("57P01", "FATAL"), false, true, FailureKind.LostConnection, ServerAnswer.SessionEnded);
        yield return Row("terminated while connecting", Server("57P01", "FATAL"), true, false, FailureKind.HostUnavailable, ServerAnswer.SessionEnded);
        yield return Row("panic", Server("XX000", "PANIC"), false, true, FailureKind.Permanent, ServerAnswer.SessionEnded);
        yield return Row("disk full breaks the connection, and is an answer", Server("53100"), false, true, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("starting up", Server("57P03", "FATAL"), true, false, FailureKind.HostUnavailable, ServerAnswer.SessionEnded);
        yield return Row("bad password", Server("28P01", "FATAL"), true, false, FailureKind.Permanent, ServerAnswer.SessionEnded);
        yield return Row("read-only", Server("25006"), false, false, FailureKind.ReadOnlyHost, ServerAnswer.Complete);
        yield return Row("40003", Server("40003"), false, false, FailureKind.OutcomeUnknown, ServerAnswer.Missing);
        yield return Row("08007", Server("08007"), false, false, FailureKind.OutcomeUnknown, ServerAnswer.Missing);
        yield return Row("a pooler lost its server", Server("08P01", "FATAL", routine: null), false, true, FailureKind.LostConnection, ServerAnswer.Missing);
        yield return Row("a pooler lost its server, softly", Server("08P01", "ERROR", routine: null), false, true, FailureKind.LostConnection, ServerAnswer.Missing);
        yield return Row("a pooler shuts down", Server("57P01", "FATAL", routine: null), false, true, FailureKind.LostConnection, ServerAnswer.Missing);
        yield return Row("a pooler refuses", Server("28P01", "FATAL", routine: null), true, false, FailureKind.Permanent, ServerAnswer.Missing);
        yield return Row("a malformed message", Server("08P01"), false, true, FailureKind.Permanent, ServerAnswer.Complete);
        yield return Row("a foreign server was lost", Server("08006"), false, false, FailureKind.LostConnection, ServerAnswer.Complete);
    }

    private static IEnumerable<object[]> HostFailures()
    {
        var refused = Npgsql("connect", new SocketException((int)SocketError.ConnectionRefused));
        var slow = Wrapped(new TimeoutException());
        var certificate = Npgsql("SSL", new AuthenticationException());
        var password = Server("28P01", "FATAL");
        yield return Hosts("all refuse", FailureKind.HostUnavailable, refused, refused);
        yield return Hosts("one is slow", FailureKind.HostUnavailable, slow, refused);
        yield return Hosts("one starts", FailureKind.HostUnavailable, refused, Server("57P03", "FATAL"));
        yield return Hosts("one knows the password to be wrong", FailureKind.Permanent, refused, password);
        yield return Hosts("all that answer are permanent", FailureKind.Permanent, password, Server("3D000", "FATAL"));
        yield return Hosts("one starts, one knows the password to be wrong", FailureKind.HostUnavailable, password, Server("57P03", "FATAL"));
        yield return Hosts("bad certificates everywhere", FailureKind.Permanent, certificate, certificate);
        yield return Hosts("one bad certificate", FailureKind.HostUnavailable, certificate, refused);
        yield return Hosts("an unknown error", FailureKind.Permanent, new NotSupportedException());
        yield return Hosts("cancelled", FailureKind.Cancelled, refused, new OperationCanceledException(new CancellationToken(true)));
    }

    private static IEnumerable<object[]> Aggregates()
    {
        var lost = Wrapped(new EndOfStreamException());
        yield return Several("one alone", FailureKind.Conflict, ServerAnswer.Complete, Server("40001"));
        yield return Several("permanent before lost, the doubt stays", FailureKind.Permanent, ServerAnswer.Missing, lost, Server("23505"));
        yield return Several("lost before conflict", FailureKind.LostConnection, ServerAnswer.Missing, Server("40001"), lost);
        yield return Several("lost before unavailable", FailureKind.LostConnection, ServerAnswer.Missing, Server("57P03"), lost);
        yield return Several("unavailable before conflict", FailureKind.HostUnavailable, ServerAnswer.Complete, Server("40001"), Server("53300"));
        yield return Several("read-only before unavailable", FailureKind.ReadOnlyHost, ServerAnswer.Complete, Server("53300"), Server("25006"));
        yield return Several("cancelled before permanent", FailureKind.Cancelled, ServerAnswer.Complete, Server("23505"), new OperationCanceledException());
        yield return Several("unknown before cancelled", FailureKind.OutcomeUnknown, ServerAnswer.Complete, new OperationCanceledException(), new CommitOutcomeUnknownException(null, null));
        yield return Several("the application's own", FailureKind.Permanent, ServerAnswer.Complete, Server("40001"), new NotSupportedException());
        yield return Several("nothing", FailureKind.Permanent, ServerAnswer.Complete);
    }

    [TestMethod]
    [DynamicData(nameof(Shapes), DynamicDataDisplayName = nameof(Name))]
    public void each_shape_has_its_kind_and_answer(string name, Exception exception, bool opening, bool broken, string kind, string answer)
    {
        var failure = FailureClassifier.Classify(exception, opening ? AttemptPhase.Opening : AttemptPhase.InTransaction, broken, FailureRules.None);
        Assert.AreEqual((kind, answer), (failure.Kind.ToString(), failure.Answer.ToString()), name);
        Assert.IsFalse(string.IsNullOrWhiteSpace(failure.Reason), name);
        Assert.AreEqual((failure.Deciding as PostgresException)?.SqlState, failure.SqlState, name);
        Assert.AreEqual(answer == nameof(ServerAnswer.Complete), failure.Answered, name);
    }

    [TestMethod]
    [DynamicData(nameof(HostFailures), DynamicDataDisplayName = nameof(Name))]
    public void several_hosts_are_permanent_only_by_what_their_answers_agree_on(string name, Exception[] errors, string kind)
    {
        Exception[] wholes =
        [
            Npgsql("Unable to connect to a suitable host.", new AggregateException(errors)),
            new NoSuitableHostException(TargetSession.Any, [.. errors.Select(error => new HostFailure("h", "r", error))]),
        ];
        foreach (var whole in wholes)
        {
            Assert.AreEqual(kind, Classify(whole).Kind.ToString(), name);
        }
    }

    [TestMethod]
    public void a_host_of_another_role_is_worth_waiting_for_whatever_the_others_say()
    {
        var error = new NoSuitableHostException(TargetSession.Primary, [new("a", "wrong password", Server("28P01", "FATAL")), new("b", "is a standby", null)]);
        Assert.AreEqual(FailureKind.HostUnavailable, Classify(error).Kind);
        Assert.AreEqual(FailureKind.HostUnavailable, Classify(new NoSuitableHostException(TargetSession.Any, [])).Kind);
    }

    [TestMethod]
    [DynamicData(nameof(Aggregates), DynamicDataDisplayName = nameof(Name))]
    public void among_independent_failures_the_one_that_forbids_most_decides(string name, Exception[] parts, string kind, string answer)
    {
        var failure = Classify(new AggregateException(parts));
        Assert.AreEqual((kind, answer), (failure.Kind.ToString(), failure.Answer.ToString()), name);
    }

    [TestMethod]
    [Timeout(10_000, CooperativeCancellation = true)]
    public void a_chain_that_leads_back_to_itself_ends()
    {
        var inner = new InvalidOperationException("inner");
        var outer = new InvalidOperationException("outer", inner);
        typeof(Exception).GetField("_innerException", BindingFlags.Instance | BindingFlags.NonPublic)!.SetValue(inner, outer);

        Assert.AreEqual(FailureKind.Permanent, Classify(outer).Kind);
        Assert.HasCount(ExceptionChain.MaxLength, ExceptionChain.Walk(outer));
    }

    [TestMethod]
    public void a_chain_without_end_is_looked_at_up_to_its_bound()
    {
        Exception deep = Server("40001");
        for (var i = 0; i < 10_000; i++)
        {
            deep = new InvalidOperationException("level", deep);
        }

        Assert.AreEqual(FailureKind.Permanent, Classify(deep).Kind);
    }

    [TestMethod]
    public void nothing_known_is_decided_by_the_exception_that_was_thrown()
    {
        var outer = new InvalidOperationException("outer", new NotSupportedException("inner"));
        Assert.AreSame(outer, Classify(outer).Deciding);
    }

    [TestMethod]
    [DataRow("55P03", true, nameof(FailureKind.Declared))]
    [DataRow("55P03", false, nameof(FailureKind.Permanent))]
    [DataRow("55P03", null, nameof(FailureKind.Permanent))]
    [DataRow("40001", true, nameof(FailureKind.Conflict))]
    [DataRow("40001", false, nameof(FailureKind.Permanent))]
    [DataRow("40001", null, nameof(FailureKind.Conflict))]
    [DataRow("40003", true, nameof(FailureKind.OutcomeUnknown))]
    [DataRow("08007", false, nameof(FailureKind.OutcomeUnknown))]
    public void a_predicate_overrules_the_table_but_not_a_doubt(string sqlState, bool? says, string kind)
    {
        var rules = FailureRules.None with { ShouldRetry = exception => exception is PostgresException ? says : null };
        var failure = Classify(new DbUpdateException("save", Server(sqlState)), rules);
        Assert.AreEqual((kind, sqlState), (failure.Kind.ToString(), failure.SqlState));
        Assert.IsInstanceOfType<PostgresException>(failure.Deciding);
    }

    [TestMethod]
    public void a_predicate_cannot_bring_a_cancelled_operation_back()
    {
        var rules = FailureRules.None with { ShouldRetry = _ => true };
        Assert.AreEqual(FailureKind.Cancelled, Classify(new OperationCanceledException(), rules).Kind);
    }

    [TestMethod]
    public void a_predicate_is_asked_outermost_first_and_its_first_answer_counts()
    {
        var asked = new List<Type>();
        var rules = FailureRules.None with
        {
            ShouldRetry = exception =>
            {
                asked.Add(exception.GetType());
                return exception is NotSupportedException ? true : null;
            },
        };
        var failure = Classify(
            new InvalidOperationException("outer", new AggregateException(new ArithmeticException(), new NotSupportedException(), new FormatException())), rules);
        Assert.AreEqual(FailureKind.Declared, failure.Kind);
        Assert.IsNull(failure.SqlState);
        CollectionAssert.AreEqual(
            new[] { typeof(InvalidOperationException), typeof(AggregateException), typeof(ArithmeticException), typeof(NotSupportedException) }, asked);
    }

    [TestMethod]
    public void what_a_declaration_makes_retriable_can_still_be_in_doubt()
    {
        var rules = FailureRules.None with { ShouldRetry = _ => true };
        var failure = FailureClassifier.Classify(new InvalidOperationException(), AttemptPhase.Committing, connectionBroken: true, rules);
        Assert.AreEqual(FailureKind.Declared, failure.Kind);
        Assert.AreEqual(Verdict.OutcomeInDoubt, VerdictTable.Decide(failure, AttemptPhase.Committing));
    }

    [TestMethod]
    [DataRow("55P03", nameof(FailureKind.Declared))]
    [DataRow("57014", nameof(FailureKind.Permanent))]
    [DataRow("40003", nameof(FailureKind.OutcomeUnknown))]
    [DataRow("40001", nameof(FailureKind.Conflict))]
    public void a_declared_sqlstate_is_retried_and_an_unknown_outcome_never(string sqlState, string kind)
    {
        var rules = FailureRules.None with { RetriableSqlStates = new[] { "55P03", "40003", "40001" }.ToFrozenSet() };
        Assert.AreEqual(kind, Classify(new DbUpdateException("save", Server(sqlState)), rules).Kind.ToString());
    }

    [TestMethod]
    public void a_declared_sqlstate_that_was_retried_already_is_not_retried_again()
    {
        var rules = FailureRules.None with { RetriableSqlStates = new[] { "55P03" }.ToFrozenSet() };
        Assert.AreEqual(FailureKind.Permanent, Classify(new RetryLimitExceededException("gave up", Server("55P03")), rules).Kind);
    }

    public static string Name(MethodInfo method, object[] data) => $"{method.Name}: {data[0]}";

    private static Failure Classify(Exception exception, FailureRules? rules = null)
        => FailureClassifier.Classify(exception, AttemptPhase.InTransaction, connectionBroken: false, rules ?? FailureRules.None);

    private static object[] Row(string name, Exception exception, bool opening, bool broken, FailureKind kind, ServerAnswer answer)
        => [name, exception, opening, broken, kind.ToString(), answer.ToString()];

    private static object[] Hosts(string name, FailureKind kind, params Exception[] errors) => [name, errors, kind.ToString()];

    private static object[] Several(string name, FailureKind kind, ServerAnswer answer, params Exception[] parts)
        => [name, parts, kind.ToString(), answer.ToString()];

    private static NpgsqlException Npgsql(string message, Exception inner) => new(message, inner);

    private static NpgsqlException Wrapped(Exception inner) => new("Exception while reading from stream", inner);

    private static PostgresException Server(string sqlState, string severity = "ERROR", string? routine = "ProcessInterrupts")
        => new("text", severity, severity, sqlState, routine: routine);
}
