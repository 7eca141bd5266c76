namespace DbRetry.EFCore;

/// <summary>How much of a query's result is read before its first row is handed out. A connection that is lost while it is read is retried; later it is not.</summary>
public enum ResultBuffering
{
    /// <summary>
    /// As many rows as <see cref="DbRetryOptions.ReadAheadRows"/> says. A result that ends there is complete; what is left of a longer one is streamed, in
    /// constant memory. If another command is sent to the same connection meanwhile, what is left is read into memory first.
    /// </summary>
    ReadAhead,

    /// <summary>All of it, by EF Core itself, as under its own retrying strategies.</summary>
    Full,

    /// <summary>Nothing: only the start of a query is retried.</summary>
    None,
}
