namespace DbRetry.EFCore.Analyzers.Units;

/// <summary><c>Namespace.Type.Method</c>, where the method may be given by its beginning and a star.</summary>
internal readonly struct MethodPattern
{
    private readonly string _type;
    private readonly string _method;
    private readonly bool _isBeginning;

    private MethodPattern(string type, string method)
    {
        _type = type;
        _isBeginning = method.EndsWith("*", StringComparison.Ordinal);
        _method = _isBeginning ? method.Substring(0, method.Length - 1) : method;
    }

    internal static MethodPattern Parse(string text)
    {
        var dot = text.LastIndexOf('.');
        return dot < 0 ? new MethodPattern(text, "*") : new MethodPattern(text.Substring(0, dot), text.Substring(dot + 1));
    }

    internal bool Matches(string type, string method)
        => type == _type && (_isBeginning ? method.StartsWith(_method, StringComparison.Ordinal) : method == _method);
}
