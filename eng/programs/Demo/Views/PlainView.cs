namespace DbRetry.Demo.Views;

/// <summary>Lines without colours, for logs and pipes: one a second, and one for each event.</summary>
internal sealed class PlainView(TextWriter output) : IView
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    public void Say(string text) => output.WriteLine(text);

    public async Task ShowAsync(Board board, CancellationToken finished)
    {
        var shown = 0;
        var next = Interval;
        while (!finished.IsCancellationRequested)
        {
            await Task.Delay(Look, finished).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            shown += ShowEvents(board, shown);
            if (board.Clock.Elapsed >= next)
            {
                next = TimeSpan.FromSeconds(Math.Floor(board.Clock.Elapsed.TotalSeconds)) + Interval;
                ShowNumbers(board);
            }
        }
    }

    private int ShowEvents(Board board, int shown)
    {
        var count = 0;
        foreach (var (at, text) in board.Events.Events.Skip(shown))
        {
            output.WriteLine($"{at.TotalSeconds,5:00.0} s  {text}");
            count++;
        }
        return count;
    }

    private void ShowNumbers(Board board)
    {
        var now = new Sample(board, Interval);
        var serving = now.PerSecondByHost.Count == 0 ? "nobody" : string.Join(", ", now.PerSecondByHost.Keys);
        var retries = board.Retries;
        output.WriteLine(
            $"{now.Now.TotalSeconds,5:00.0} s  {now.PerSecond,5}/s  acknowledged {now.Orders + now.Transfers,6}  "
            + $"retries: conflicts {retries.Conflicts}, connections {retries.Connections}, other {retries.Others}  "
            + $"errors {now.Errors}  longest wait {board.Ledger.LongestWait.TotalSeconds:0.0} s  served by {serving}");
    }
}
