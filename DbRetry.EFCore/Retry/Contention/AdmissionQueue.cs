namespace DbRetry.EFCore.Retry.Contention;

/// <summary>Those who wait at an <see cref="AdmissionGate"/>, and who of them is next.</summary>
/// <remarks>Guarded by the lock of the gate.</remarks>
internal sealed class AdmissionQueue
{
    /// <summary>
    /// Who waits for a lane has a connection open, which others may need: when so many do, newcomers wait before they open one. A pool of Npgsql's has 100.
    /// </summary>
    internal const int MostInLanes = 32;

    private readonly LinkedList<AdmissionWaiter> _alone = [];
    private readonly LinkedList<AdmissionWaiter> _lanes = [];
    private readonly LinkedList<AdmissionWaiter> _losers = [];
    private readonly LinkedList<AdmissionWaiter> _newcomers = [];

    /// <summary>Whether somebody waits whom an attempt of this rank must not pass.</summary>
    internal bool IsBefore(AdmissionRank rank)
        => _alone.Count > 0 || (rank is AdmissionRank.Newcomer && (_losers.Count > 0 || _lanes.Count >= MostInLanes));

    internal void Add(AdmissionWaiter waiter)
    {
        if (waiter.Lane is null)
        {
            Queue(waiter.Rank).AddLast(waiter.Place);
        }
        else if (waiter.Rank is AdmissionRank.Loser && FirstNewcomerInLanes() is { } newcomer)
        {
            _lanes.AddBefore(newcomer, waiter.Place);
        }
        else
        {
            _lanes.AddLast(waiter.Place);
        }
    }

    /// <summary>Whom to let in now, if anybody.</summary>
    /// <param name="isEmpty">Whether nobody runs.</param>
    /// <param name="hasRoom">Whether one more may run.</param>
    /// <param name="lanes">Which of them are free.</param>
    /// <remarks>Whoever is to be alone lets nobody pass: the others run out, then it begins.</remarks>
    internal AdmissionWaiter? Next(bool isEmpty, bool hasRoom, AdmissionLanes lanes)
        => _alone.First is { } alone ? (isEmpty ? alone.Value : null)
            : !hasRoom ? null
            : FirstWithLane(lanes) ?? _losers.First?.Value ?? (_lanes.Count < MostInLanes ? _newcomers.First?.Value : null);

    private AdmissionWaiter? FirstWithLane(AdmissionLanes lanes)
    {
        foreach (var waiter in _lanes)
        {
            if (lanes.IsFree(waiter.Lane!.Value))
            {
                return waiter;
            }
        }

        return null;
    }

    private LinkedListNode<AdmissionWaiter>? FirstNewcomerInLanes()
    {
        var node = _lanes.First;
        while (node is { Value.Rank: not AdmissionRank.Newcomer })
        {
            node = node.Next;
        }

        return node;
    }

    private LinkedList<AdmissionWaiter> Queue(AdmissionRank rank)
        => rank switch
        {
            AdmissionRank.Alone => _alone,
            AdmissionRank.Loser => _losers,
            _ => _newcomers,
        };
}
