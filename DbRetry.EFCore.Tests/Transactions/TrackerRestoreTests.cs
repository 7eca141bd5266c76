using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Transactions;

/// <summary>Whatever an attempt did, the next one finds the change tracker as the first one did, and what it saves is there once.</summary>
[TestClass]
public class TrackerRestoreTests
{
    /// <summary>Everything but generated keys, which an attempt that was rolled back uses up.</summary>
    private const string Content =
        """
        select string_agg(row, E'\n' order by row) from (
            select concat_ws('|', 'customer', "Name", "Note", "Picture", "Home_City", "Limits_Credit", "Contact_Mail", "Look") as row from "Customers"
            union all select concat_ws('|', 'order', o."Text", c."Name") from "Orders" o join "Customers" c on c."Id" = o."CustomerId"
            union all select concat_ws('|', 'line', l."Product", l."Quantity", o."Text") from "Line" l join "Orders" o on o."Id" = l."OrderId"
            union all select concat_ws('|', 'tag', "Name") from "Tags"
            union all select concat_ws('|', 'tagged', t."TagsName", o."Text") from "OrderTag" t join "Orders" o on o."Id" = t."OrdersId"
            union all select concat_ws('|', 'device', d."Model", c."Name") from "Devices" d left join "Customers" c on c."Id" = d."OwnerId") all_rows
        """;

    /// <summary>What each preparation leaves in the database when nothing fails.</summary>
    private static readonly Dictionary<string, string?> Contents = [];

    private static GraphBed _bed = null!;

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [ClassInitialize]
    public static async Task StartAsync(TestContext context) => _bed = await GraphBed.CreateAsync(context.CancellationToken);

    [ClassCleanup]
    public static async Task StopAsync() => await _bed.DisposeAsync();

    public static IEnumerable<object[]> Failures()
        =>
            from preparation in new[]
            {
                nameof(AddGraph), nameof(AddToExisting), nameof(ChangeEverything), nameof(RemoveEverything), nameof(MoveAndReplace),
                nameof(Nothing), nameof(StopDetecting),
            }
            from failure in Enum.GetValues<Failure>()
            from async in new[] { false, true }
            select new object[] { preparation, failure, async };

    /// <summary>When the first attempt fails.</summary>
    public enum Failure
    {
        BeforeSave,
        AtSave,
        AfterSave,
        ResetAfterSave,
        ResetAtCommit,
        AfterClear,
        AfterSaveWithoutAccepting,
    }

    [TestMethod]
    [DynamicData(nameof(Failures))]
    public async Task The_second_attempt_finds_the_tracker_as_the_first_one_did(string preparation, Failure failure, bool async)
    {
        var content = await UndisturbedAsync(preparation);
        await _bed.ResetAsync(Cancellation);
        await using var context = _bed.Context();
        await PrepareAsync(preparation, context);
        if (preparation != nameof(StopDetecting))
        {
            context.ChangeTracker.DetectChanges();
        }

        var events = 0;
        var before = TrackerPicture.Of(context);
        var entries = context.ChangeTracker.Entries().Select(entry => entry.Entity).ToHashSet();
        var attempts = 0;

        await context.UnitAsync(async, async () =>
        {
            attempts++;
            Assert.AreEqual(before, TrackerPicture.Of(context));
            Assert.IsTrue(entries.SetEquals(context.ChangeTracker.Entries().Select(entry => entry.Entity)));
            Assert.AreEqual(0, events);
            if (attempts == 1)
            {
                await FailAsync(_bed, context, failure, async);
                context.ChangeTracker.StateChanged += (_, _) => events++;
                context.ChangeTracker.Tracked += (_, _) => events++;
                if (failure is Failure.ResetAtCommit)
                {
                    return;
                }

                Assert.Fail("It should have failed.");
            }

            context.ChangeTracker.DetectChanges();
            await context.SaveAsync(async);
            events = 0;
        });

        Assert.AreEqual(2, attempts);
        Assert.AreEqual(content, await _bed.ScalarAsync<string>(Content));
        Assert.IsFalse(context.ChangeTracker.HasChanges());
    }

    private async Task<string?> UndisturbedAsync(string preparation)
    {
        if (Contents.TryGetValue(preparation, out var known))
        {
            return known;
        }

        await _bed.ResetAsync(Cancellation);
        await using var context = _bed.Context();
        await PrepareAsync(preparation, context);
        context.ChangeTracker.DetectChanges();
        await context.SaveChangesAsync(Cancellation);
        return Contents[preparation] = await _bed.ScalarAsync<string>(Content);
    }

    private static async Task FailAsync(GraphBed bed, GraphContext context, Failure failure, bool async)
    {
        switch (failure)
        {
            case Failure.BeforeSave:
                await DisturbAsync(context, async);
                await context.ConflictAsync(async);
                break;
            case Failure.AtSave:
                await DisturbAsync(context, async);
                context.Add(new GraphContext.Customer { Name = "in the way" });
                bed.Proxy.Arm(FaultPoint.AtSql("INSERT", FaultMoment.BeforeForward, FaultAction.Reset));
                await context.SaveAsync(async);
                break;
            case Failure.AfterSave:
                await context.SaveAsync(async);
                await DisturbAsync(context, async);
                await context.SaveAsync(async);
                await context.ConflictAsync(async);
                break;
            case Failure.ResetAfterSave:
                await context.SaveAsync(async);
                bed.Proxy.Arm(FaultPoint.AtSql("SELECT", FaultMoment.BeforeForward, FaultAction.Reset));
                await context.Customers.ListAsync(async);
                break;
            case Failure.AfterClear:
                context.ChangeTracker.Clear();
                await DisturbAsync(context, async);
                await context.SaveAsync(async);
                await context.ConflictAsync(async);
                break;
            case Failure.AfterSaveWithoutAccepting:
                context.SaveChanges(acceptAllChangesOnSuccess: false);
                await context.ConflictAsync(async);
                break;
            default:
                context.ChangeTracker.DetectChanges();
                await context.SaveAsync(async);
                await context.SqlAsync(async, "update \"Devices\" set \"Model\" = 'whatever'");
                bed.Proxy.Arm(FaultPoint.AtSql("COMMIT", FaultMoment.BeforeForward, FaultAction.Reset));
                break;
        }
    }

    /// <summary>What an attempt may do to everything that is there.</summary>
    private static async Task DisturbAsync(GraphContext context, bool async)
    {
        _ = await context.Customers.Include(c => c.Orders).ThenInclude(o => o.Tags).Include(c => c.Device).ListAsync(async);
        foreach (var customer in context.Customers.Local.ToList())
        {
            customer.Name += " disturbed";
            customer.Picture = [9];
            customer.Home = new() { City = "elsewhere" };
            customer.Limits = new() { Credit = 1000 };
            customer.Contact = customer.Contact is null ? new() { Mail = "new" } : null;
            customer.Look.Color += " disturbed";
            customer.Look.Words.Add("three");
            customer.Look.Entries.Add(new() { Text = "more" });
            customer.Look.Entries[0].Text = "disturbed";
            context.Entry(customer).Property("Note").CurrentValue = "disturbed";
            customer.Orders.Add(new() { Text = "new order", Lines = { new() { Product = "x" } }, Tags = { new() { Name = $"tag {Guid.NewGuid()}" } } });
            foreach (var order in customer.Orders.Take(1).ToList())
            {
                context.Remove(order);
            }

            if (customer.Device is { } device)
            {
                device.Model = "disturbed";
                device.Owner = null;
            }
        }
    }

    private static async Task PrepareAsync(string preparation, GraphContext context)
    {
        var old = preparation is nameof(AddGraph) or nameof(Nothing)
            ? null
            : await context.Customers.Include(c => c.Orders).ThenInclude(o => o.Tags).Include(c => c.Device).SingleAsync();
        switch (preparation)
        {
            case nameof(AddGraph):
                AddGraph(context);
                break;
            case nameof(AddToExisting):
                AddToExisting(context, old!);
                break;
            case nameof(ChangeEverything):
                ChangeEverything(context, old!);
                break;
            case nameof(RemoveEverything):
                RemoveEverything(context, old!);
                break;
            case nameof(MoveAndReplace):
                MoveAndReplace(context, old!);
                break;
            case nameof(StopDetecting):
                StopDetecting(context, old!);
                break;
            default:
                Nothing();
                break;
        }
    }

    private static void AddGraph(GraphContext context)
    {
        var customer = GraphBed.Customer("new");
        context.Add(customer);
        context.Entry(customer).Property("Note").CurrentValue = "note";
        context.Add(new GraphContext.Device { Model = "nobody's" });
    }

    private static void AddToExisting(GraphContext context, GraphContext.Customer old)
    {
        old.Orders.Add(new() { Text = "third", Lines = { new() { Product = "d" } }, Tags = { old.Orders[0].Tags[0], new() { Name = "second tag" } } });
        old.Orders[1].Tags.Add(old.Orders[0].Tags[0]);
        old.Orders[1].Lines.Add(new() { Product = "e" });
        context.Add(new GraphContext.Order { Text = "by key", CustomerId = old.Id });
    }

    private static void ChangeEverything(GraphContext context, GraphContext.Customer old)
    {
        old.Name = "changed";
        old.Picture = [4];
        old.Home!.City = "changed";
        old.Limits.Credit = 5;
        old.Contact = null;
        old.Look.Color = "blue";
        old.Look.Words.Add("changed");
        old.Look.Entries.Insert(0, new() { Text = "changed" });
        old.Orders[0].Lines[0].Quantity = 10;
        old.Orders[0].Lines.RemoveAt(1);
        old.Device!.Model = "changed";
        context.Entry(old).Property("Note").CurrentValue = "changed";
        context.Entry(old.Orders[1]).Property(o => o.Text).IsModified = true;
    }

    private static void RemoveEverything(GraphContext context, GraphContext.Customer old)
    {
        context.Remove(old.Orders[0]);
        old.Orders[1].Lines.Clear();
        old.Device = null;
        old.Home = null;
    }

    private static void MoveAndReplace(GraphContext context, GraphContext.Customer old)
    {
        var other = GraphBed.Customer("other");
        context.Add(other);
        old.Orders[0].Customer = other;
        other.Device = old.Device;
        old.Home = new() { City = "replaced" };
        old.Orders[1].Tags.Add(other.Orders[0].Tags[0]);
        old.Orders[0].Tags.Clear();
    }

    private static void StopDetecting(GraphContext context, GraphContext.Customer old)
    {
        context.ChangeTracker.AutoDetectChangesEnabled = false;
        old.Name = "changed, and nobody knows";
        old.Orders.Add(new() { Text = "added, and nobody knows" });
        context.Entry(old.Orders[0]).Property(o => o.Text).IsModified = true;
    }

    private static void Nothing()
    {
    }
}
