#pragma warning disable EF1001 // INpgsqlDataSourceConfigurationPlugin is what NodaTime's and NetTopologySuite's plugins implement.
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>A plugin like NodaTime's: because of it EF builds a data source of its own. It knows the password, so that nothing works without it.</summary>
internal sealed class DataSourcePlugin(string password) : IDbContextOptionsExtension, INpgsqlDataSourceConfigurationPlugin
{
    public DbContextOptionsExtensionInfo Info => new PluginInfo(this);

    public static void Add(DbContextOptionsBuilder builder, string password)
        => ((IDbContextOptionsBuilderInfrastructure)builder).AddOrUpdateExtension(new DataSourcePlugin(password));

    public void ApplyServices(IServiceCollection services) => services.AddSingleton<INpgsqlDataSourceConfigurationPlugin>(this);

    public void Configure(NpgsqlDataSourceBuilder npgsqlDataSourceBuilder)
        => npgsqlDataSourceBuilder.UsePasswordProvider(_ => password, (_, _) => ValueTask.FromResult(password));

    public void Validate(IDbContextOptions options)
    {
    }

    private sealed class PluginInfo(IDbContextOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        public override bool IsDatabaseProvider => false;

        public override string LogFragment => string.Empty;

        public override int GetServiceProviderHashCode() => typeof(PluginInfo).GetHashCode();

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo)
        {
        }

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is PluginInfo;
    }
}
