using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace DbRetry.EFCore;

/// <summary>Carries what <c>UseDbRetry</c> was told through EF Core's options into the services of a context.</summary>
internal sealed class DbRetryOptionsExtension : IDbContextOptionsExtension
{
    internal static readonly DbRetryOptionsExtension Default = new(null);

    private readonly Action<DbRetryOptions>? _configure;
    private RetrySettings? _settings;

    private DbRetryOptionsExtension(Action<DbRetryOptions>? configure)
    {
        _configure = configure;
        Info = new ExtensionInfo(this);
    }

    public DbContextOptionsExtensionInfo Info { get; }

    /// <summary>The checked settings. Built once per extension, which EF shares between contexts that share their options.</summary>
    internal RetrySettings Settings
    {
        get
        {
            if (_settings is null)
            {
                var options = new DbRetryOptions();
                _configure?.Invoke(options);
                _settings = RetrySettings.From(options);
            }

            return _settings;
        }
    }

    internal DbRetryOptionsExtension With(Action<DbRetryOptions>? configure)
    {
        var extension = new DbRetryOptionsExtension(_configure + configure);

        // A value out of range fails here, at the line that gave it, and not at the first query.
        _ = extension.Settings;
        return extension;
    }

    public void ApplyServices(IServiceCollection services) => services.AddEntityFrameworkDbRetry();

    public void Validate(IDbContextOptions options) => Misuse.ThrowIfAny(options);

    private sealed class ExtensionInfo(DbRetryOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        public override bool IsDatabaseProvider => false;

        public override string LogFragment => "using DbRetry ";

        // Settings are read from the context's own options, never from singletons, so they may differ within one internal provider.
        public override int GetServiceProviderHashCode() => 0;

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is ExtensionInfo;

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo) => debugInfo["DbRetry"] = "1";
    }
}
