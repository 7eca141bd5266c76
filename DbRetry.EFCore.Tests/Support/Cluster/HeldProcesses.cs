namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>Processes that do nothing until this is disposed.</summary>
internal sealed class HeldProcesses : IDisposable
{
    private readonly IReadOnlyList<int> _processes;

    public HeldProcesses(IReadOnlyList<int> processes)
    {
        _processes = processes;
        foreach (var process in processes)
        {
            Posix.Signal(process, Posix.SigStop);
        }
    }

    public void Dispose()
    {
        foreach (var process in _processes)
        {
            Posix.Signal(process, Posix.SigCont);
        }
    }
}
