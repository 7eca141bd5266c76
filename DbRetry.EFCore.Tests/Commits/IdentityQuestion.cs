namespace DbRetry.EFCore.Tests.Commits;

/// <summary>How the questions for a transaction's identity are told on the wire.</summary>
internal static class IdentityQuestion
{
    public const string Riding = "AS dbretry_transaction_id";

    public const string RidingToKnownServer = "AS dbretry_known_transaction_id";

    public const string BeforeCommit = "SET CONSTRAINTS ALL IMMEDIATE";
}
