namespace DbRetry.EFCore.Dsn;

/// <summary>
/// One parameter as it was read from a DSN. Deliberately no record: a generated <c>ToString</c> would print the value, which may be the password.
/// </summary>
/// <param name="name">Its name, decoded.</param>
/// <param name="value">Its value, decoded. Never goes into a message.</param>
/// <param name="position">The character of the DSN, counted from 1, where it begins.</param>
/// <param name="mayBeNamed">False when its "name" could be a piece of a badly quoted password.</param>
internal readonly struct DsnParameter(string name, string value, int position, bool mayBeNamed)
{
    public string Name { get; } = name;

    public string Value { get; } = value;

    public int Position { get; } = position;

    public bool MayBeNamed { get; } = mayBeNamed;

    /// <summary>How an error message refers to it.</summary>
    public string Label =>
        MayBeNamed || DsnKeywords.IsKnown(Name) ? $"'{Name}' (character {Position})" : $"at character {Position}";

    public override string ToString() => Label;
}
