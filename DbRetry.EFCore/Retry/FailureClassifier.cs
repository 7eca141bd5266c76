namespace DbRetry.EFCore.Retry;

/// <summary>Tells what kind of failure an exception is.</summary>
internal static class FailureClassifier
{
    /// <param name="exception">The first failure of the attempt, as it was thrown.</param>
    /// <param name="phase">
    /// How far the attempt had come. Only <see cref="AttemptPhase.Opening"/> matters here: a time-out while connecting and one of a command have the
    /// same shape. Where the phase is not known, any other value lets the shape decide alone.
    /// </param>
    /// <param name="connectionBroken">
    /// Whether the connection is broken (<c>FullState</c>, not <c>State</c>, which never says so). Pass <see langword="true"/> if it is not known.
    /// </param>
    /// <param name="rules">What the application declared.</param>
    internal static Failure Classify(Exception exception, AttemptPhase phase, bool connectionBroken, FailureRules rules)
    {
        var examination = new FailureExamination(phase == AttemptPhase.Opening, connectionBroken);
        return FailureDeclarations.Apply(examination.Conclude(exception), exception, rules);
    }

    /// <summary>Of a probe. The application's own judge is for failures that the application has, on its threads.</summary>
    internal static Failure ClassifyProbe(Exception exception, FailureRules rules)
        => Classify(exception, AttemptPhase.Opening, connectionBroken: true, rules with { ShouldRetry = null });
}
