using DbRetry.EFCore.Diagnostics;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Probing;
using DbRetry.EFCore.Retry;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>Establishes the outcome of a transaction over connections of its own.</summary>
internal sealed class CommitVerifier(
    ICommitProof proof, HostRoute route, int lostOn, NpgsqlConnection lost, RetrySettings settings, TimeProvider time, Random random, long since)
{
    private readonly RecoveryMemory _memory = RecoveryMemory.Of(route.Cluster);
    private readonly long _askedAt = time.GetTimestamp();
    private readonly bool _wasReplaced = route.Cluster.Primary is >= 0 and var primary && primary != lostOn;

    internal CommitAnswer Verify()
    {
        var inquiry = Inquiry();
        while (true)
        {
            switch (inquiry.Next(route.Cluster.Primary))
            {
                case InquiryStep.Ask when WhyNot(inquiry.Host) is { } reason:
                    inquiry.Failed(Name(inquiry.Host), reason);
                    break;
                case InquiryStep.Ask:
                    try
                    {
                        inquiry.Answered(Ask(inquiry.Host));
                    }
                    catch (Exception exception)
                    {
                        Failed(inquiry, exception);
                    }

                    break;
                case InquiryStep.Settle:
                    try
                    {
                        inquiry.Settled(Settle(inquiry.Host));
                    }
                    catch (NpgsqlException)
                    {
                        // The next round asks again.
                    }

                    break;
                case InquiryStep.Wait:
                    time.Wait(inquiry.Delay);
                    break;
                case InquiryStep.WaitForPrimary:
                    using (var waiter = Waiter(blocking: true))
                    {
                        waiter.Wait(inquiry.Delay);
                    }

                    break;
                default:
                    return Conclude(inquiry);
            }
        }
    }

    internal async Task<CommitAnswer> VerifyAsync(CancellationToken cancellationToken)
    {
        var inquiry = Inquiry();
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            switch (inquiry.Next(route.Cluster.Primary))
            {
                case InquiryStep.Ask when WhyNot(inquiry.Host) is { } reason:
                    inquiry.Failed(Name(inquiry.Host), reason);
                    break;
                case InquiryStep.Ask:
                    try
                    {
                        inquiry.Answered(await AskAsync(inquiry.Host, cancellationToken).ConfigureAwait(false));
                    }
                    catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
                    {
                        Failed(inquiry, exception);
                    }

                    break;
                case InquiryStep.Settle:
                    try
                    {
                        inquiry.Settled(await SettleAsync(inquiry.Host, cancellationToken).ConfigureAwait(false));
                    }
                    catch (NpgsqlException)
                    {
                        // The next round asks again.
                    }

                    break;
                case InquiryStep.Wait:
                    await time.WaitAsync(inquiry.Delay, cancellationToken).ConfigureAwait(false);
                    break;
                case InquiryStep.WaitForPrimary:
                    using (var waiter = Waiter(blocking: false))
                    {
                        await waiter.WaitAsync(inquiry.Delay, cancellationToken).ConfigureAwait(false);
                    }

                    break;
                default:
                    return Conclude(inquiry);
            }
        }
    }

    private CommitEvidence Ask(int host)
    {
        using var returning = route.Herd.Returning(host);
        using var connection = Connection(host);
        Open(connection, host);
        if (ReadIncarnation(connection) is not { } server)
        {
            route.LeadsAstray(host);
            return new(Name(host), null, XidStatus.Forgotten);
        }

        _memory.Note(Name(host), server);
        return new(Name(host), server, proof.Ask(connection));
    }

    private async Task<CommitEvidence> AskAsync(int host, CancellationToken cancellationToken)
    {
        using var returning = route.Herd.Returning(host);
        var connection = Connection(host);
        await using (connection.ConfigureAwait(false))
        {
            await OpenAsync(connection, host, cancellationToken).ConfigureAwait(false);
            if (await ReadIncarnationAsync(connection, cancellationToken).ConfigureAwait(false) is not { } server)
            {
                route.LeadsAstray(host);
                return new(Name(host), null, XidStatus.Forgotten);
            }

            _memory.Note(Name(host), server);
            return new(Name(host), server, await proof.AskAsync(connection, cancellationToken).ConfigureAwait(false));
        }
    }

    private static ServerIncarnation? ReadIncarnation(NpgsqlConnection connection)
    {
        using var command = TransactionQueries.ReadIncarnation(connection);
        using var reader = command.ExecuteReader();
        return reader.Read() ? TransactionQueries.Incarnation(reader) : null;
    }

    private static async Task<ServerIncarnation?> ReadIncarnationAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var command = TransactionQueries.ReadIncarnation(connection);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? TransactionQueries.Incarnation(reader) : null;
            }
        }
    }

    private CommitVerdict Settle(int host)
    {
        using var returning = route.Herd.Returning(host);
        using var connection = Connection(host);
        Open(connection, host);
        return proof.Settle(connection);
    }

    private async Task<CommitVerdict> SettleAsync(int host, CancellationToken cancellationToken)
    {
        using var returning = route.Herd.Returning(host);
        var connection = Connection(host);
        await using (connection.ConfigureAwait(false))
        {
            await OpenAsync(connection, host, cancellationToken).ConfigureAwait(false);
            return await proof.SettleAsync(connection, cancellationToken).ConfigureAwait(false);
        }
    }

    private void Open(NpgsqlConnection connection, int host)
    {
        using (route.Herd.Enter(connection, host, time))
        {
            connection.Open();
        }
    }

    private async Task OpenAsync(NpgsqlConnection connection, int host, CancellationToken cancellationToken)
    {
        using (await route.Herd.EnterAsync(connection, host, time, cancellationToken).ConfigureAwait(false))
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private NpgsqlConnection Connection(int host) => route.ConnectionForInquiry(lost, host);

    // What is run again must not go to another primary than the one that was believed.
    private CommitAnswer Conclude(CommitInquiry inquiry)
    {
        if (inquiry.Survivor is var (host, server))
        {
            route.Cluster.Saw(host, new HostSighting(HostRole.Primary, server.History));
        }

        var duration = time.GetElapsedTime(_askedAt);
        RetryInstruments.Verified(
            inquiry.Verdict switch
            {
                CommitVerdict.Committed => "committed",
                CommitVerdict.NotCommitted => "not_committed",
                _ => "unknown",
            },
            duration);
        return new(inquiry.Verdict, inquiry.Answers, duration, inquiry.Survivor?.Server);
    }

    private void Failed(CommitInquiry inquiry, Exception exception)
    {
        route.ClearPool(inquiry.Host);
        var reason = FailureClassifier.Classify(exception, AttemptPhase.Opening, connectionBroken: true, settings.Rules).Reason;
        inquiry.Failed(
            Name(inquiry.Host),
            proof is StatusProof && exception is PostgresException refused && refused.IsRefusal() ? $"{reason}. {StatusRefusedException.Advice}" : reason);
    }

    private HostWaiter Waiter(bool blocking)
        => route.Cluster.Prober.Enter(route, TargetSession.ReadWrite, settings, TimeSpan.Zero, time, random, blocking);

    private CommitInquiry Inquiry()
        => new(
            proof,
            route.Cluster.Hosts.Length,
            _memory,
            settings,
            time,
            random,
            since,
            waitsFirst: route.CanProbe && route.Cluster is { Hosts.Length: > 1, Primary: < 0 });

    // To ask one that does not answer would cost its whole time limit, and there are others that may know. And what the prober heard a moment ago, but
    // after the answer to COMMIT was lost, is as good as what one hears oneself; before that, too, if the host had been replaced by then.
    private string? WhyNot(int host)
        => route.Cluster.Hosts.Length == 1 ? null
            : route.Cluster[host].IsSilent(time.GetTimestamp()) ? "it has not answered lately"
            : route.Cluster.Primary == host ? null
            : route.Cluster.Prober.WhyNoPrimary(host, _wasReplaced ? long.MinValue : _askedAt, time);

    private string Name(int host) => route.NameOf(host);
}

/// <summary>What the inquiry found, what the hosts said, and which server's word decided.</summary>
internal readonly record struct CommitAnswer(CommitVerdict Verdict, string Answers, TimeSpan Duration = default, ServerIncarnation? By = null)
{
    internal CommitOutcome Outcome
        => Verdict switch
        {
            CommitVerdict.Committed => CommitOutcome.Committed,
            CommitVerdict.NotCommitted => CommitOutcome.NotCommitted,
            _ => CommitOutcome.Unknown,
        };
}
