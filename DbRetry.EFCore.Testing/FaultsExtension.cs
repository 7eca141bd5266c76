using DbRetry.EFCore.Commits;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace DbRetry.EFCore.Testing;

/// <summary>Carries the plan of faults through EF Core's options to the contexts.</summary>
internal sealed class FaultsExtension : IDbContextOptionsExtension
{
    internal FaultsExtension(FaultSchedule schedule)
    {
        Schedule = schedule;
        Info = new ExtensionInfo(this);
    }

    public DbContextOptionsExtensionInfo Info { get; }

    internal FaultSchedule Schedule { get; }

    public void ApplyServices(IServiceCollection services)
    {
        services.AddScoped<FaultInterceptor>();
        services.AddScoped<IInterceptor>(static provider => provider.GetRequiredService<FaultInterceptor>());
        services.AddScoped<IAnswerFault>(static provider => provider.GetRequiredService<FaultInterceptor>());
    }

    public void Validate(IDbContextOptions options)
    {
        // Nothing can be combined in a wrong way: what never happens, DbRetryFaults.AssertAllHit names.
    }

    private sealed class ExtensionInfo(FaultsExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        public override bool IsDatabaseProvider => false;

        public override string LogFragment => "using DbRetryFaults ";

        // The plan is read from the context's own options.
        public override int GetServiceProviderHashCode() => 0;

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is ExtensionInfo;

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo) => debugInfo["DbRetryFaults"] = "1";
    }
}
