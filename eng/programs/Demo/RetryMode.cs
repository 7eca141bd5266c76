namespace DbRetry.Demo;

/// <summary>Who retries.</summary>
internal enum RetryMode
{
    DbRetry,
    Stock,
}
