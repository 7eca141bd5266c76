using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;

namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>The few system calls that .NET does not offer: signals to arbitrary processes, and file ownership.</summary>
internal static class Posix
{
    public const int SigInt = 2;
    public const int SigQuit = 3;
    public const int SigKill = 9;
    public const int SigTerm = 15;

    private const int NoSuchProcess = 3;

    public static int SigStop => OperatingSystem.IsMacOS() ? 17 : 19;

    public static int SigCont => OperatingSystem.IsMacOS() ? 19 : 18;

    public static uint EffectiveUserId => GetEffectiveUserId();

    /// <summary>Sends a signal; false when the process is gone already.</summary>
    public static bool Signal(int processId, int signal)
    {
        // kill(0) and kill(-1) address whole groups, ours among them.
        ArgumentOutOfRangeException.ThrowIfLessThan(processId, 2);
        if (Kill(processId, signal) == 0)
        {
            return true;
        }
        var error = Marshal.GetLastPInvokeError();
        return error == NoSuchProcess ? false : throw new Win32Exception(error, $"kill({processId}, {signal}) failed");
    }

    public static void ChangeOwner(string path, uint userId, uint groupId)
    {
        if (ChangeOwner([.. Encoding.UTF8.GetBytes(path), 0], userId, groupId) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"chown({path}) failed");
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int processId, int signal);

    [DllImport("libc", EntryPoint = "chown", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int ChangeOwner(byte[] path, uint userId, uint groupId);

    [DllImport("libc", EntryPoint = "geteuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint GetEffectiveUserId();
}
