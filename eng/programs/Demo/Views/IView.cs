namespace DbRetry.Demo.Views;

/// <summary>Shows a run while it lasts.</summary>
internal interface IView
{
    /// <summary>Says what goes on before there is anything to count.</summary>
    void Say(string text);

    /// <summary>Returns after the last state was shown.</summary>
    Task ShowAsync(Board board, CancellationToken finished);
}
