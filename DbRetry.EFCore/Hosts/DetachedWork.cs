namespace DbRetry.EFCore.Hosts;

/// <summary>Work that serves many: what belongs to the caller who happens to begin it, such as an ambient transaction, must not leak into it.</summary>
internal static class DetachedWork
{
    /// <summary>Begins it without the caller's execution context.</summary>
    internal static T Begin<T>(Func<T> begin)
    {
        if (ExecutionContext.IsFlowSuppressed())
        {
            return begin();
        }

        using (ExecutionContext.SuppressFlow())
        {
            return begin();
        }
    }
}
