using System.Diagnostics;

namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>
/// The account that servers run under: <c>postgres</c> when we are root, because the servers refuse root, and our own otherwise.
/// </summary>
internal sealed class ServerAccount
{
    private readonly (string Name, uint UserId, uint GroupId)? _other;

    private ServerAccount((string Name, uint UserId, uint GroupId)? other) => _other = other;

    public static ServerAccount Current { get; } = new(Posix.EffectiveUserId == 0 ? Look("postgres") : null);

    public void RunUnder(ProcessStartInfo start)
    {
        if (_other is { } other)
        {
            start.UserName = other.Name;
        }
    }

    public void Own(string path)
    {
        if (_other is { } other)
        {
            Posix.ChangeOwner(path, other.UserId, other.GroupId);
        }
    }

    private static (string Name, uint UserId, uint GroupId) Look(string name)
    {
        foreach (var line in File.ReadLines("/etc/passwd"))
        {
            if (line.Split(':') is [var found, _, var user, var group, ..] && found == name)
            {
                return (name, uint.Parse(user), uint.Parse(group));
            }
        }
        throw new InvalidOperationException(
            $"PostgreSQL servers refuse to run as root, and there is no account '{name}' to run them under: create it, or run as another user.");
    }
}
