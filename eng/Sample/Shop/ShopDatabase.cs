namespace DbRetry.Sample.Shop;

internal static class ShopDatabase
{
    /// <summary>Makes the tables and the accounts, unless they are there. A server that is not there yet is waited for.</summary>
    public static async Task EnsureCreatedAsync(IServiceProvider services)
    {
        await using var scope = services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<ShopContext>().Database.EnsureCreatedAsync();
    }
}
