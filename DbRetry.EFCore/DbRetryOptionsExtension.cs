using DbRetry.EFCore.Configuration;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace DbRetry.EFCore;

/// <summary>Carries what <c>UseDbRetry</c> was told through EF Core's options into the services of a context.</summary>
internal sealed class DbRetryOptionsExtension : IDbContextOptionsExtension
{
    internal static readonly DbRetryOptionsExtension Default = new(null, null, null);

    private readonly Action<DbRetryOptions>? _configure;
    private readonly ConfiguredOptions? _configured;
    private readonly string? _name;
    private Resolution? _resolution;

    private DbRetryOptionsExtension(Action<DbRetryOptions>? configure, ConfiguredOptions? configured, string? name)
    {
        _configure = configure;
        _configured = configured;
        _name = name;
        Info = new ExtensionInfo(this);
    }

    public DbContextOptionsExtensionInfo Info { get; }

    /// <summary>The checked settings, and the options that they were made of.</summary>
    /// <remarks>
    /// Made once per extension, which EF shares between contexts that share their options, and again after the application's configuration has changed.
    /// </remarks>
    internal Resolution Current
    {
        get
        {
            var basis = Basis();
            return _resolution is { } known && ReferenceEquals(known.Basis, basis) ? known : _resolution = Resolve(basis);
        }
    }

    internal DbRetryOptionsExtension With(Action<DbRetryOptions>? configure, ConfiguredOptions? configured = null, string? name = null)
    {
        var extension = new DbRetryOptionsExtension(_configure + configure, configured ?? _configured, name ?? _name);

        // A value out of range fails here, at the line that gave it, and not at the first query.
        _ = extension.Current;
        return extension;
    }

    public void ApplyServices(IServiceCollection services) => services.AddEntityFrameworkDbRetry();

    public void Validate(IDbContextOptions options) => Misuse.ThrowIfAny(options);

    private DbRetryOptions? Basis()
        => _name is not null
            ? (_configured ?? throw NoServices(_name)).Get(_name)
            : _configured?.Has(Options.DefaultName) is true ? _configured.Get(Options.DefaultName) : null;

    private Resolution Resolve(DbRetryOptions? basis)
    {
        var options = basis?.Copy() ?? new DbRetryOptions();
        _configure?.Invoke(options);
        try
        {
            return new Resolution(basis, options, RetrySettings.From(options));
        }
        catch (ArgumentException mistake) when (_resolution is not null)
        {
            // A reload that does not go with what the context sets itself.
            _configured!.Refused(_name ?? Options.DefaultName, mistake.Message);
            return _resolution with { Basis = basis };
        }
    }

    private static InvalidOperationException NoServices(string name)
        => new($"UseDbRetry(\"{name}\") was called, but the context does not know the services of the application. Call services.AddDbRetry(\"{name}\", …), "
            + "and register the context with AddDbContext or its like, or call UseApplicationServiceProvider(…) before.");

    /// <param name="Basis">The options of the application's configuration; <see langword="null"/> where there are none.</param>
    /// <param name="Options">What the context has made of them.</param>
    /// <param name="Settings">The same, checked and unchangeable.</param>
    internal sealed record Resolution(DbRetryOptions? Basis, DbRetryOptions Options, RetrySettings Settings);

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
