using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>Establishes the outcome of a transaction over connections of its own.</summary>
internal sealed class CommitVerifier(HostRoute route, NpgsqlConnection lost, RetrySettings settings, TimeProvider time, Random random, long since)
{
    private readonly RecoveryMemory _memory = RecoveryMemory.Of(route.Cluster);

    internal CommitAnswer Verify(TransactionIdentity identity)
    {
        var inquiry = new CommitInquiry(identity, route.Cluster.Hosts.Length, _memory, settings, time, random, since);
        while (true)
        {
            switch (inquiry.Next())
            {
                case InquiryStep.Ask:
                    try
                    {
                        inquiry.Answered(Ask(identity, inquiry.Host));
                    }
                    catch (Exception exception)
                    {
                        Failed(inquiry, exception);
                    }

                    break;
                case InquiryStep.Fence:
                    try
                    {
                        Fence(identity, inquiry.Host);
                    }
                    catch (NpgsqlException)
                    {
                        // The next round asks again.
                    }

                    break;
                case InquiryStep.Wait:
                    time.Wait(inquiry.Delay);
                    break;
                default:
                    return Conclude(inquiry);
            }
        }
    }

    internal async Task<CommitAnswer> VerifyAsync(TransactionIdentity identity, CancellationToken cancellationToken)
    {
        var inquiry = new CommitInquiry(identity, route.Cluster.Hosts.Length, _memory, settings, time, random, since);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            switch (inquiry.Next())
            {
                case InquiryStep.Ask:
                    try
                    {
                        inquiry.Answered(await AskAsync(identity, inquiry.Host, cancellationToken).ConfigureAwait(false));
                    }
                    catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
                    {
                        Failed(inquiry, exception);
                    }

                    break;
                case InquiryStep.Fence:
                    try
                    {
                        await FenceAsync(identity, inquiry.Host, cancellationToken).ConfigureAwait(false);
                    }
                    catch (NpgsqlException)
                    {
                        // The next round asks again.
                    }

                    break;
                case InquiryStep.Wait:
                    await time.WaitAsync(inquiry.Delay, cancellationToken).ConfigureAwait(false);
                    break;
                default:
                    return Conclude(inquiry);
            }
        }
    }

    private CommitEvidence Ask(TransactionIdentity identity, int host)
    {
        using var connection = Connection(host);
        connection.Open();
        var server = ReadIncarnation(connection);
        if (server is null)
        {
            return new(Name(host), null, XidStatus.Forgotten);
        }

        _memory.Note(server.Value);
        using var command = TransactionQueries.ReadStatus(connection, identity.Xid!.Value);
        try
        {
            return new(Name(host), server, TransactionQueries.Status(command.ExecuteScalar()));
        }
        catch (PostgresException exception) when (IsInTheFuture(exception))
        {
            return new(Name(host), server, XidStatus.InTheFuture);
        }
    }

    private async Task<CommitEvidence> AskAsync(TransactionIdentity identity, int host, CancellationToken cancellationToken)
    {
        var connection = Connection(host);
        await using (connection.ConfigureAwait(false))
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            var server = await ReadIncarnationAsync(connection, cancellationToken).ConfigureAwait(false);
            if (server is null)
            {
                return new(Name(host), null, XidStatus.Forgotten);
            }

            _memory.Note(server.Value);
            var command = TransactionQueries.ReadStatus(connection, identity.Xid!.Value);
            await using (command.ConfigureAwait(false))
            {
                try
                {
                    return new(Name(host), server, TransactionQueries.Status(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false)));
                }
                catch (PostgresException exception) when (IsInTheFuture(exception))
                {
                    return new(Name(host), server, XidStatus.InTheFuture);
                }
            }
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

    private void Fence(TransactionIdentity identity, int host)
    {
        using var connection = Connection(host);
        connection.Open();
        using var command = TransactionQueries.EndIdleBackend(connection, identity.ProcessId, identity.Xid!.Value);
        command.ExecuteNonQuery();
    }

    private async Task FenceAsync(TransactionIdentity identity, int host, CancellationToken cancellationToken)
    {
        var connection = Connection(host);
        await using (connection.ConfigureAwait(false))
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            var command = TransactionQueries.EndIdleBackend(connection, identity.ProcessId, identity.Xid!.Value);
            await using (command.ConfigureAwait(false))
            {
                await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    // A clone has the data source, password and callbacks of the connection that was lost.
    private NpgsqlConnection Connection(int host)
    {
        var connection = (NpgsqlConnection)((ICloneable)lost).Clone();
        route.Bind(connection, host);
        return connection;
    }

    // What is run again must not go to another primary than the one that was believed.
    private CommitAnswer Conclude(CommitInquiry inquiry)
    {
        if (inquiry.Survivor is { } host)
        {
            route.Cluster.Saw(host, HostRole.Primary);
        }

        return new(inquiry.Verdict, inquiry.Answers);
    }

    private void Failed(CommitInquiry inquiry, Exception exception)
    {
        route.ClearPool(inquiry.Host);
        inquiry.Failed(Name(inquiry.Host), FailureClassifier.Classify(exception, AttemptPhase.Opening, connectionBroken: true, settings.Rules).Reason);
    }

    private string Name(int host) => route.Cluster.Hosts[host].ToString();

    private static bool IsInTheFuture(PostgresException exception) => exception.SqlState == PostgresErrorCodes.InvalidParameterValue;
}

/// <summary>What the inquiry found, and what the hosts said.</summary>
internal readonly record struct CommitAnswer(CommitVerdict Verdict, string Answers);
