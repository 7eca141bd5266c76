using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace DbRetry.EFCore.Configuration;

/// <summary>Fills the options of one name from a section, and again when the section changes.</summary>
internal sealed class ConfiguredSection(string name, IConfiguration section)
    : IConfigureNamedOptions<DbRetryOptions>, IOptionsChangeTokenSource<DbRetryOptions>
{
    public string Name => name;

    public void Configure(string? name, DbRetryOptions options)
    {
        if (name == Name && ConfigurationKeys.Read(section, options) is { Count: > 0 } problems)
        {
            throw new OptionsValidationException(Name, typeof(DbRetryOptions), problems);
        }
    }

    public void Configure(DbRetryOptions options) => Configure(Options.DefaultName, options);

    public IChangeToken GetChangeToken() => section.GetReloadToken();
}
