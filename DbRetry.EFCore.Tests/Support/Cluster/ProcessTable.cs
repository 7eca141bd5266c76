using System.Diagnostics;

namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>What the system knows about processes that are not ours to wait for.</summary>
internal static class ProcessTable
{
    public static IReadOnlyList<int> Children(int processId)
    {
        var list = OperatingSystem.IsLinux()
            ? Read($"/proc/{processId}/task/{processId}/children")
            : Ask("pgrep", "-P", $"{processId}");
        return [.. (list ?? "").Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
    }

    /// <summary>False also for a zombie, which holds neither memory nor sockets: an orphan may stay one for seconds.</summary>
    public static bool IsAlive(int processId)
    {
        if (OperatingSystem.IsLinux())
        {
            return StatFields(processId) is [var state, ..] && state is not ("Z" or "X");
        }
        return Ask("ps", "-o", "stat=", "-p", $"{processId}").Trim() is [not 'Z', ..];
    }

    /// <summary>Tells two processes apart that had the same id one after the other; null when there is none.</summary>
    public static string? StartMark(int processId)
    {
        if (OperatingSystem.IsLinux())
        {
            // Field 22 of stat, in ticks since boot; the state is field 3.
            return StatFields(processId) is { Length: > 19 } fields && fields[0] is not ("Z" or "X") ? fields[19] : null;
        }
        var started = Ask("ps", "-o", "lstart=", "-p", $"{processId}").Trim();
        return started.Length == 0 ? null : string.Concat(started.Where(char.IsLetterOrDigit));
    }

    public static string CommandLine(int processId) => OperatingSystem.IsLinux()
        ? (Read($"/proc/{processId}/cmdline") ?? "").Replace('\0', ' ')
        : Ask("ps", "-o", "command=", "-p", $"{processId}");

    private static string[]? StatFields(int processId)
    {
        // The name in field 2 may hold blanks and parentheses; fields are counted from behind it.
        var stat = Read($"/proc/{processId}/stat");
        return stat?[(stat.LastIndexOf(')') + 2)..].Split(' ');
    }

    private static string? Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            // The process went away before or while we read.
            return null;
        }
    }

    private static string Ask(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        var answer = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return answer;
    }
}
