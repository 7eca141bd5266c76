namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>Signals to a whole server: a postmaster and its children, which are no process group (each child calls setsid).</summary>
internal static class ServerProcesses
{
    /// <summary>
    /// The sudden end of a machine. The postmaster is stopped first: it would otherwise see its children die and restart them,
    /// or fork another one behind our back. Returns the processes that are now dying.
    /// </summary>
    public static IReadOnlyList<int> Kill(int postmaster)
    {
        if (!Posix.Signal(postmaster, Posix.SigStop))
        {
            return [];
        }
        IReadOnlyList<int> all = [postmaster, .. ProcessTable.Children(postmaster)];
        foreach (var process in all)
        {
            Posix.Signal(process, Posix.SigKill);
        }
        return all;
    }

    public static void Freeze(int postmaster)
    {
        Posix.Signal(postmaster, Posix.SigStop);
        foreach (var child in ProcessTable.Children(postmaster))
        {
            Posix.Signal(child, Posix.SigStop);
        }
    }

    public static void Thaw(int postmaster)
    {
        foreach (var child in ProcessTable.Children(postmaster))
        {
            Posix.Signal(child, Posix.SigCont);
        }
        Posix.Signal(postmaster, Posix.SigCont);
    }

    /// <summary>Kills whatever server still runs on a data folder, after making sure that the process is one.</summary>
    public static void KillServerOf(string dataFolder)
    {
        if (ReadPidFile(dataFolder) is [var first, ..]
            && int.TryParse(first, out var postmaster)
            && ProcessTable.CommandLine(postmaster) is var command
            && command.Contains("postgres", StringComparison.Ordinal)
            && command.Contains(dataFolder, StringComparison.Ordinal))
        {
            Kill(postmaster);
        }
    }

    /// <summary>The lines of <c>postmaster.pid</c>; empty when there is none.</summary>
    public static string[] ReadPidFile(string dataFolder)
    {
        try
        {
            return File.ReadAllLines(Path.Combine(dataFolder, "postmaster.pid"));
        }
        catch (IOException)
        {
            return [];
        }
    }
}
