#pragma warning disable EF9101 // EF's metrics are marked experimental; EF's own strategies report through this very method.
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace DbRetry.EFCore.Seams;

/// <summary>Keeps EF's own counter of failed attempts counting (EFCore/Infrastructure/EntityFrameworkMetricsData.cs).</summary>
internal static class RetryMetrics
{
    internal static void ReportFailure() => EntityFrameworkMetricsData.ReportExecutionStrategyOperationFailure();
}
