namespace DbRetry.EFCore.Tests.Support;

/// <summary>The folder that the tests were built in, for those that look at files of the project or build it.</summary>
internal static class SourceTree
{
    private const string Solution = "DbRetry.sln";

    private static readonly string? Root = Find(AppContext.BaseDirectory);

    /// <summary>The full path of a file or folder of the project. Ends the test as inconclusive where the built tests were carried elsewhere.</summary>
    public static string Require(string path)
    {
        if (Root is null || !Path.Exists(Path.Combine(Root, path)))
        {
            Assert.Inconclusive($"The tests do not run in a source tree that has {path}.");
        }

        return Path.GetFullPath(Path.Combine(Root, path));
    }

    private static string? Find(string? folder)
    {
        while (folder is not null && !File.Exists(Path.Combine(folder, Solution)))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder;
    }
}
