using DbRetry.EFCore.Dsn;
using FsCheck;
using FsCheck.Fluent;
using Npgsql;

namespace DbRetry.EFCore.Tests.Dsn;

[TestClass]
public sealed class DsnRoundTripTests
{
    private static readonly Config Config = Config.QuickThrowOnFailure.WithMaxTest(200);

    [TestMethod]
    public void Whatever_is_written_in_any_form_is_read_back() =>
        Check.One(Config, Prop.ForAll(DsnGenerators.Facts, facts =>
        {
            foreach (var dsn in DsnWriters.All(facts))
            {
                var parsed = ParsedDsn.Parse(dsn);
                CollectionAssert.AreEqual(Endpoints(facts), parsed.Hosts.ToArray(), dsn);
                var settings = new NpgsqlConnectionStringBuilder(parsed.BaseConnectionString);
                Assert.AreEqual(
                    (facts.User, facts.Password, facts.Database, facts.ApplicationName),
                    (settings.Username, settings.Password, settings.Database, settings.ApplicationName),
                    dsn);
                Assert.AreEqual(4, settings.Count, dsn);
            }
        }));

    [TestMethod]
    public void The_translation_says_the_same_and_translates_to_itself() =>
        Check.One(Config, Prop.ForAll(DsnGenerators.Facts, facts =>
        {
            foreach (var dsn in DsnWriters.All(facts))
            {
                var connectionString = PostgresDsn.ToConnectionString(dsn);
                Assert.AreEqual(connectionString, PostgresDsn.ToConnectionString(connectionString), dsn);
                CollectionAssert.AreEqual(Endpoints(facts), ParsedDsn.Parse(connectionString).Hosts.ToArray(), dsn);
                Assert.AreEqual(facts.Password, new NpgsqlConnectionStringBuilder(connectionString).Password, dsn);
            }
        }));

    [TestMethod]
    public void Building_changes_the_database_only() =>
        Check.One(Config, Prop.ForAll(DsnGenerators.Facts, facts =>
        {
            if (string.IsNullOrWhiteSpace(facts.ApplicationName))
            {
                return;
            }

            foreach (var dsn in DsnWriters.All(facts))
            {
                var built = new NpgsqlConnectionStringBuilder(PostgresDsn.Build(dsn, facts.ApplicationName));
                Assert.AreEqual(facts.ApplicationName, built.Database, dsn);
                Assert.AreEqual(facts.User, built.Username, dsn);
                Assert.AreEqual(facts.Hosts.Length > 1 ? "read-write" : null, built.TargetSessionAttributes, dsn);
            }
        }));

    private static HostEndpoint[] Endpoints(DsnFacts facts) =>
        facts.Hosts.Zip(facts.Ports, (host, port) => new HostEndpoint(host, port)).ToArray();
}
