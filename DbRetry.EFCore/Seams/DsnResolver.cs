#pragma warning disable EF1001 // INamedConnectionStringResolver is the one place that every connection string passes before it is parsed.
using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage.Internal;

namespace DbRetry.EFCore.Seams;

/// <summary>Lets <c>UseNpgsql</c> take a libpq DSN: translates it after EF has looked up a <c>Name=…</c>.</summary>
/// <remarks>Leans on EFCore.Relational/Storage/Internal/NamedConnectionStringResolver.cs.</remarks>
internal sealed class DsnResolver(IDbContextOptions options, ContextSettings settings, AttemptLog log) : INamedConnectionStringResolver
{
    private readonly NamedConnectionStringResolver _names = new(options);

    public string ResolveConnectionString(string connectionString)
    {
        var resolved = _names.ResolveConnectionString(connectionString);
        if (settings.Settings is null)
        {
            return resolved;
        }

        var translation = DsnTranslation.Of(resolved);
        log.DeclaredTarget = translation.DeclaredTarget ?? log.DeclaredTarget;
        return translation.ConnectionString;
    }
}
