namespace DbRetry.EFCore.Tests.Analyzers;

/// <summary>C# in which <c>⟦</c> and <c>⟧</c> surround what should be reported.</summary>
internal sealed class MarkedCode
{
    private const char Opening = '⟦';
    private const char Closing = '⟧';

    public MarkedCode(string marked)
    {
        var expected = new List<string>();
        var begins = new Stack<int>();
        var code = new System.Text.StringBuilder();
        foreach (var letter in marked)
        {
            switch (letter)
            {
                case Opening:
                    begins.Push(code.Length);
                    break;
                case Closing:
                    var begin = begins.Pop();
                    expected.Add(At(begin, code.ToString(begin, code.Length - begin)));
                    break;
                default:
                    code.Append(letter);
                    break;
            }
        }

        Text = code.ToString();
        Expected = expected;
    }

    public string Text { get; }

    /// <summary>Where something is reported, and what is underlined there.</summary>
    public IReadOnlyList<string> Expected { get; }

    public static string At(int position, string underlined) => $"{position}: {underlined}";
}
