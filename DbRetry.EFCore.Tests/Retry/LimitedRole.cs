namespace DbRetry.EFCore.Tests.Retry;

/// <summary>A role that may read and write the tables of a bed, and no more. Superusers may do anything.</summary>
internal sealed class LimitedRole : IAsyncDisposable
{
    private readonly RetryBed _bed;

    private LimitedRole(RetryBed bed) => _bed = bed;

    public string Name { get; } = $"limited_{Guid.NewGuid():N}";

    public string Password { get; } = $"{Guid.NewGuid()}";

    public string Login => $";Username={Name};Password={Password}";

    public string ConnectionString => _bed.ConnectionString + Login;

    /// <param name="bed">Where.</param>
    /// <param name="forbidden">Functions that nobody but a superuser may call in its database from now on.</param>
    /// <param name="cancellationToken">The test's.</param>
    public static async Task<LimitedRole> CreateAsync(RetryBed bed, string[] forbidden, CancellationToken cancellationToken)
    {
        var role = new LimitedRole(bed);
        await bed.Database.ExecuteAsync(
            $"create role {role.Name} login password '{role.Password}'; grant select, insert, update on counters, items to {role.Name};"
                + string.Concat(forbidden.Select(function => $"revoke execute on function {function} from public;")),
            cancellationToken);
        return role;
    }

    public async ValueTask DisposeAsync() => await _bed.Database.ExecuteAsync($"drop owned by {Name}; drop role {Name}", CancellationToken.None);
}
