namespace DbRetry.EFCore.Dsn;

/// <summary>The ways in which people write down where their PostgreSQL is.</summary>
internal enum DsnFormat
{
    /// <summary>None of the others; parsing it says so without quoting it.</summary>
    Unrecognized,

    /// <summary>A libpq URI: <c>postgresql://user@host/db</c> (PostgreSQL manual 34.1.1.2).</summary>
    Uri,

    /// <summary>A libpq keyword/value string: <c>host=a dbname=b</c> (PostgreSQL manual 34.1.1.1).</summary>
    KeyValue,

    /// <summary>An ADO.NET connection string for Npgsql: <c>Host=a;Database=b</c>.</summary>
    Npgsql,

    /// <summary>EF Core's reference to a configured connection string: <c>Name=foo</c>. EF must resolve it first.</summary>
    Named,
}
