namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>Where, when and how a connection fails.</summary>
internal sealed record FaultPoint(Func<ProxiedMessage, bool> Where, FaultMoment Moment, FaultAction Action)
{
    /// <summary>Fails at every message that matches, not only at the first.</summary>
    public bool Repeat { get; init; }

    /// <summary>At the nth message since the proxy was armed.</summary>
    public static FaultPoint AtMessage(long number, FaultMoment moment, FaultAction action) =>
        new(message => message.Number == number, moment, action);

    /// <summary>At a Query or Parse whose text contains a fragment in any case.</summary>
    public static FaultPoint AtSql(string fragment, FaultMoment moment, FaultAction action) =>
        new(message => message.IsSql(fragment), moment, action);

    public static FaultPoint AtCommit(FaultMoment moment, FaultAction action) => new(message => message.IsCommit, moment, action);
}
