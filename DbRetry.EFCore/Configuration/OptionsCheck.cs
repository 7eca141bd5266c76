using Microsoft.Extensions.Options;

namespace DbRetry.EFCore.Configuration;

/// <summary>Tells a mistake in configured options by the key that has to be corrected.</summary>
internal sealed class OptionsCheck(IEnumerable<ConfiguredCluster> clusters) : IValidateOptions<DbRetryOptions>
{
    public ValidateOptionsResult Validate(string? name, DbRetryOptions options)
        => DbRetryOptionsValidator.Find(options) is { } mistake
            ? ValidateOptionsResult.Fail($"{Prefix(name)}{mistake.Message}")
            : ValidateOptionsResult.Success;

    private string Prefix(string? name)
        => clusters.LastOrDefault(cluster => cluster.Name == name && cluster.Path is not null) is { Path: { } path } ? $"{path}:"
            : string.IsNullOrEmpty(name) ? "DbRetry: "
            : $"DbRetry '{name}': ";
}

/// <summary>A name that options were registered under.</summary>
/// <param name="Name">The name; empty for the options of contexts that name none.</param>
/// <param name="Path">The section that they come from; <see langword="null"/> if they come from code.</param>
internal sealed record ConfiguredCluster(string Name, string? Path);
