namespace DbRetry.EFCore.Dsn;

/// <summary>
/// The errors of reading a DSN. All are <see cref="FormatException"/>, none has an inner exception and none quotes a
/// value: inner exceptions of Npgsql and of number parsing do, and any value may be a misplaced password.
/// </summary>
internal static class DsnError
{
    public static FormatException Malformed(string what, int position) =>
        new($"The DSN is malformed at character {position}: {what}.");

    public static FormatException Invalid(string what) => new($"The DSN is invalid: {what}.");

    public static FormatException Parameter(DsnParameter parameter, string why) =>
        new($"The DSN parameter {parameter.Label} {why}.");

    public static FormatException GivenTwice(DsnParameter parameter) =>
        Parameter(parameter, "contradicts an earlier value for the same setting");

    public static FormatException Unknown(DsnParameter parameter) => Parameter(
        parameter,
        parameter.MayBeNamed
            ? "is known neither to libpq nor to Npgsql"
            : "is known neither to libpq nor to Npgsql; it is not named here because it may be a piece of a password "
              + "that is not quoted or percent-encoded as its form requires");
}
