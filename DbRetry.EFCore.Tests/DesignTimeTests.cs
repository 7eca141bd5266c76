using DbRetry.EFCore.Tests.Retry;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace DbRetry.EFCore.Tests;

/// <summary>What tools do with a context needs no server, however the connection string looks.</summary>
[TestClass]
public class DesignTimeTests
{
    [TestMethod]
    [DataRow("Host=127.0.0.1;Port=1;Database=none")]
    [DataRow("Host=127.0.0.1:1,127.0.0.1:2;Database=none;Target Session Attributes=prefer-standby")]
    [DataRow("postgresql://127.0.0.1:1,127.0.0.1:2/none?target_session_attrs=read-write")]
    public void Scripts_are_made_without_a_server(string dsn)
    {
        using var context = new CounterContext(new DbContextOptionsBuilder<CounterContext>().UseNpgsql(dsn).UseDbRetry().Options);

        Assert.Contains("CREATE TABLE counters", context.Database.GenerateCreateScript());
        Assert.Contains("__EFMigrationsHistory", context.GetService<IMigrator>().GenerateScript());
        Assert.IsTrue(context.GetService<IMigrator>().HasPendingModelChanges());
        Assert.IsEmpty(context.Database.GetMigrations());
        Assert.Contains("counters", context.Counters.ToQueryString());
        Assert.IsNotNull(context.Database.GetConnectionString());
    }
}
