namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>A protocol message that passed, or was about to pass, through a proxy.</summary>
/// <param name="Connection">The proxied connection, counted from 1 over the life of the proxy.</param>
/// <param name="Number">Counted from 1 over all connections and both directions since the proxy was armed last.</param>
/// <param name="Sender">Who sent it.</param>
/// <param name="Type">The protocol's type byte, or a stand-in of <see cref="UntypedMessages"/>.</param>
/// <param name="Sql">The text of a Query or a Parse.</param>
internal sealed record ProxiedMessage(int Connection, long Number, Sender Sender, char Type, string? Sql)
{
    /// <summary>Nothing but COMMIT: a transaction's BEGIN has READ COMMITTED in it.</summary>
    public bool IsCommit => Sender == Sender.Frontend && string.Equals(Sql, "COMMIT", StringComparison.OrdinalIgnoreCase);

    public bool IsSql(string fragment) =>
        Sender == Sender.Frontend && Sql is not null && Sql.Contains(fragment, StringComparison.OrdinalIgnoreCase);

    public override string ToString() =>
        $"#{Number} connection {Connection} {(Sender == Sender.Frontend ? "->" : "<-")} {Type}{(Sql is null ? "" : $" ({Sql})")}";
}
