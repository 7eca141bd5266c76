#pragma warning disable EF1001 // IStateManager: nothing public tells that what opens a connection is a save which has something to save.
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Internal;

namespace DbRetry.EFCore.Seams;

/// <summary>Tells whether SaveChanges is at work, so that the connection which it opens leads to a host that takes writes.</summary>
/// <remarks>
/// Leans on EFCore/ChangeTracking/Internal/StateManager.cs, SaveChanges. The events of a save do not serve: they come for one without changes as well,
/// which opens no connection, and not always in pairs.
/// </remarks>
internal static class RunningSave
{
    internal static bool IsAny(DbContext? context) => context is IDbContextDependencies dependencies && dependencies.StateManager.SavingChanges;
}
