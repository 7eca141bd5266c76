using DbRetry.EFCore;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.Sample;

/// <summary>Tells a caller what it means when not even retries have helped.</summary>
internal sealed partial class DatabaseTrouble(IProblemDetailsService problems, ILogger<DatabaseTrouble> logger) : IExceptionHandler
{
    public ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        var (status, title) = exception switch
        {
            CommitOutcomeUnknownException => (
                StatusCodes.Status500InternalServerError, "It is not known whether the request was carried out. Look before you repeat it."),
            RetryLimitExceededException or NoSuitableHostException => (
                StatusCodes.Status503ServiceUnavailable, "The request was not carried out. Try again later."),
            _ => (0, string.Empty),
        };
        if (status == 0)
        {
            return ValueTask.FromResult(false);
        }

        LogGivenUp(logger, exception);
        httpContext.Response.StatusCode = status;
        return problems.TryWriteAsync(new() { HttpContext = httpContext, ProblemDetails = { Status = status, Title = title } });
    }

    // Once an exception is handled, ASP.NET Core says no more about it.
    [LoggerMessage(Level = LogLevel.Error, Message = "A request was given up.")]
    private static partial void LogGivenUp(ILogger logger, Exception exception);
}
