namespace DbRetry.Demo.Load;

internal enum RequestKind
{
    Order,
    Transfer,
}
