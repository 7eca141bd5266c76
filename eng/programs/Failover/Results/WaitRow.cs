namespace DbRetry.Failover.Results;

/// <summary>
/// What one caller saw of one outage: how long after the new primary took writes its first write came, or, in scenarios about readers, its longest
/// silence. Null if it was not served any more.
/// </summary>
internal sealed record WaitRow(string Scenario, string Mode, int Round, int Outage, int Caller, double? Milliseconds)
{
    public const string Header = "scenario,mode,round,outage,caller,milliseconds";

    public static WaitRow Parse(string[] fields)
        => new(fields[0], fields[1], int.Parse(fields[2]), int.Parse(fields[3]), int.Parse(fields[4]), fields[5] is [] ? null : double.Parse(fields[5]));

    public override string ToString() => $"{Scenario},{Mode},{Round},{Outage},{Caller},{Milliseconds:0.000}";
}
