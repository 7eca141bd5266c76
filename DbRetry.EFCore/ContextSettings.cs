using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace DbRetry.EFCore;

/// <summary>The settings of one context. Refuses a context that is configured in a way that cannot work.</summary>
/// <remarks>
/// EF calls an extension's <c>Validate</c> only when it builds an internal provider, and contexts whose options differ in what is not
/// part of the provider's key (such as EnableRetryOnFailure) share one: hence the second look here, once per context.
/// </remarks>
internal sealed class ContextSettings : IResettableService
{
    private readonly DbRetryOptionsExtension.Resolution? _own;
    private Layer? _override;

    public ContextSettings(IDbContextOptions options)
    {
        Options = options;
        if (options.FindExtension<DbRetryOptionsExtension>() is { } extension)
        {
            Misuse.ThrowIfAny(options);
            _own = extension.Current;
        }
    }

    internal IDbContextOptions Options { get; }

    /// <summary>
    /// <see langword="null"/> for a context that shares an internal provider with DbRetry's services but did not ask for them:
    /// everything then behaves as without DbRetry.
    /// </summary>
    internal RetrySettings? Settings => _override?.Settings ?? _own?.Settings;

    /// <exception cref="InvalidOperationException">The context was configured without DbRetry.</exception>
    internal static ContextSettings Of(DatabaseFacade database)
        => ((IInfrastructure<IServiceProvider>)database).Instance.GetService<ContextSettings>() is { _own: not null } settings
            ? settings
            : throw new InvalidOperationException("This context was configured without DbRetry. Call UseDbRetry() beside UseNpgsql(…).");

    /// <summary>Changes the settings until the result is disposed.</summary>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">An option was changed that holds for a context as a whole.</exception>
    internal IDisposable Override(Action<DbRetryOptions> configure)
    {
        var options = (_override?.Options ?? _own!.Options).Copy();
        configure(options);
        var settings = RetrySettings.From(options);
        settings.ThrowIfChangedForTheWhole(_own!.Settings);
        _override = new Layer(_override, options, settings);
        return new Ending(this, _override);
    }

    void IResettableService.ResetState() => _override = null;

    Task IResettableService.ResetStateAsync(CancellationToken cancellationToken)
    {
        _override = null;
        return Task.CompletedTask;
    }

    private void End(Layer layer)
    {
        layer.IsOver = true;
        while (_override is { IsOver: true } over)
        {
            _override = over.Below;
        }
    }

    private sealed class Layer(Layer? below, DbRetryOptions options, RetrySettings settings)
    {
        internal Layer? Below { get; } = below;

        internal DbRetryOptions Options { get; } = options;

        internal RetrySettings Settings { get; } = settings;

        internal bool IsOver { get; set; }
    }

    private sealed class Ending(ContextSettings context, Layer layer) : IDisposable
    {
        public void Dispose() => context.End(layer);
    }
}
