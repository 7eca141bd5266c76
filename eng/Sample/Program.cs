using DbRetry.Sample;
using DbRetry.Sample.Shop;
using Microsoft.EntityFrameworkCore;
using OpenTelemetry.Metrics;

var builder = WebApplication.CreateBuilder(args);

builder.Services.AddDbContext<ShopContext>(options => options
    .UseNpgsql(builder.Configuration.GetConnectionString("Shop"))
    .UseDbRetry());

builder.Services.AddHealthChecks().AddDbRetryHealthCheck<ShopContext>();

// snippet: sample, metrics
builder.Services.AddOpenTelemetry()
    .WithMetrics(metrics => metrics.AddMeter("DbRetry.EFCore", "Npgsql").AddPrometheusExporter());
// end snippet

builder.Services.AddProblemDetails().AddExceptionHandler<DatabaseTrouble>();

var app = builder.Build();
app.UseExceptionHandler();
app.MapOrders();
app.MapTransfers();
app.MapHealthChecks("/health");
app.MapPrometheusScrapingEndpoint();

await ShopDatabase.EnsureCreatedAsync(app.Services);
await app.RunAsync();
