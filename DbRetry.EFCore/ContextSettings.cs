using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace DbRetry.EFCore;

/// <summary>The settings of one context. Refuses a context that is configured in a way that cannot work.</summary>
/// <remarks>
/// EF calls an extension's <c>Validate</c> only when it builds an internal provider, and contexts whose options differ in what is not
/// part of the provider's key (such as EnableRetryOnFailure) share one: hence the second look here, once per context.
/// </remarks>
internal sealed class ContextSettings
{
    public ContextSettings(IDbContextOptions options)
    {
        Options = options;
        if (options.FindExtension<DbRetryOptionsExtension>() is { } extension)
        {
            Misuse.ThrowIfAny(options);
            Settings = extension.Settings;
        }
    }

    internal IDbContextOptions Options { get; }

    /// <summary>
    /// <see langword="null"/> for a context that shares an internal provider with DbRetry's services but did not ask for them:
    /// everything then behaves as without DbRetry.
    /// </summary>
    internal RetrySettings? Settings { get; }
}
