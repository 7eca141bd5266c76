using DbRetry.Demo.Shop;
using DbRetry.Demo.Trouble;
using Spectre.Console;

namespace DbRetry.Demo.Views;

/// <summary>A picture that is redrawn several times a second, for terminals.</summary>
internal sealed class LiveView(IAnsiConsole console) : IView
{
    private const int ShownEvents = 8;
    private const int ShownBuckets = 45;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Bucket = TimeSpan.FromMilliseconds(600);

    public void Say(string text) => console.WriteLine(text, new Style(Color.Grey));

    public Task ShowAsync(Board board, CancellationToken finished) =>
        console.Live(Picture(board)).AutoClear(false).StartAsync(async display =>
        {
            while (!finished.IsCancellationRequested)
            {
                await Task.Delay(Interval, finished).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                display.UpdateTarget(Picture(board));
            }
        });

    private static Panel Picture(Board board)
    {
        var now = new Sample(board, Bucket);
        return new Panel(new Rows(Numbers(board, now), new Text(""), Hosts(board, now), new Text(""), Events(board)))
        {
            Header = new PanelHeader($" {ShopOptions.Name(board.Mode)}  {now.Now.TotalSeconds:0.0} s of {Troublemaker.Length.TotalSeconds:0} s "),
            Border = BoxBorder.Rounded,
            Padding = new Padding(1, 0),
            Expand = true,
        };
    }

    private static Grid Numbers(Board board, Sample now)
    {
        var retries = board.Retries;
        var wait = board.Ledger.LongestWait;
        return TwoColumns()
            .AddRow(Label("acknowledged"), new Text($"{now.Orders:N0} orders, {now.Transfers:N0} transfers"))
            .AddRow(Label("throughput"), new Text($"{now.PerSecond,5:N0}/s  {Sparkline.Of(now.Throughput.TakeLast(ShownBuckets))}", new Style(Color.Green)))
            .AddRow(Label("retries"), new Text(
                $"{retries.Conflicts:N0} conflicts, {retries.Connections:N0} lost connections, {retries.Others:N0} other"))
            .AddRow(Label("errors to callers"), new Text($"{now.Errors:N0}", new Style(now.Errors == 0 ? Color.Green : Color.Red)))
            .AddRow(Label("longest wait now"), new Text(
                $"{wait.TotalSeconds:0.0} s", new Style(wait < TimeSpan.FromSeconds(1) ? Color.Default : Color.Yellow)));
    }

    private static Grid Hosts(Board board, Sample now)
    {
        var grid = TwoColumns();
        foreach (var (address, role) in board.Hosts())
        {
            var style = new Style(role switch { "primary" => Color.Green, "down" => Color.Red, _ => Color.Default });
            var serves = now.PerSecondByHost.TryGetValue(address, out var rate) ? $"  serves {rate:N0}/s" : "";
            grid.AddRow(Label(address), new Text(role + serves, style));
        }
        return grid;
    }

    private static Grid Events(Board board)
    {
        var grid = TwoColumns();
        foreach (var (at, text) in board.Events.Events.TakeLast(ShownEvents))
        {
            grid.AddRow(Label($"{at.TotalSeconds:00.0} s"), new Text(text));
        }
        return grid;
    }

    private static Grid TwoColumns() => new Grid().AddColumn(new GridColumn { Width = 18, NoWrap = true }).AddColumn();

    private static Text Label(string text) => new Text(text, new Style(Color.Grey));
}
