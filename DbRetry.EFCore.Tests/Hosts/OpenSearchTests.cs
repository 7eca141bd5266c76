using System.Security.Authentication;
using DbRetry.EFCore.Hosts;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts;

[TestClass]
public sealed class OpenSearchTests
{
    private const HostRole Primary = HostRole.Primary;
    private const HostRole Standby = HostRole.Standby;

    private static readonly HostRole[] Roles = [Standby, Primary, Standby];

    [TestMethod]
    [DataRow(TargetSession.ReadWrite)]
    [DataRow(TargetSession.Primary)]
    [DataRow(TargetSession.PreferPrimary)]
    public void The_known_primary_is_the_only_one_that_is_tried(TargetSession target)
    {
        var bed = new OpenSearchBed { Answer = host => Roles[host] };
        bed.Knows(Roles);
        Assert.AreEqual(1, bed.Search(target));
        Assert.AreEqual("b", bed.Steps);
    }

    [TestMethod]
    public void A_single_host_is_tried_as_it_is()
    {
        var bed = new OpenSearchBed(hosts: 1) { Answer = _ => null };
        Assert.AreEqual(0, bed.Search(TargetSession.Any));
        Assert.AreEqual("a", bed.Steps);
    }

    [TestMethod]
    public void The_primary_is_looked_for_among_all_hosts_when_the_known_one_has_another_role_now()
    {
        var bed = new OpenSearchBed { Answer = host => host == 2 ? Primary : Standby };
        bed.Knows(Roles);
        Assert.AreEqual(2, bed.Search(TargetSession.ReadWrite));
        Assert.AreEqual(2, bed.Cluster.Primary);
        Assert.DoesNotContain("-", bed.Steps);
    }

    [TestMethod]
    public void A_known_primary_that_refuses_is_tried_last()
    {
        var bed = new OpenSearchBed { Answer = host => host == 1 ? OpenSearchBed.Refused : host == 0 ? Primary : Standby };
        bed.Knows(Roles);
        Assert.AreEqual(0, bed.Search(TargetSession.ReadWrite));
        Assert.StartsWith("b", bed.Steps);
        Assert.DoesNotContain("b", bed.Steps[1..]);
        CollectionAssert.AreEqual(new[] { 1 }, bed.Route.Cleared, "Idle connections went down with it.");
    }

    [TestMethod]
    public void The_pool_of_a_host_that_is_down_already_is_not_cleared_again()
    {
        var bed = new OpenSearchBed(configure: options => options.FailoverTimeout = TimeSpan.FromMilliseconds(100));
        bed.Search(TargetSession.Any);
        CollectionAssert.AreEquivalent(new[] { 0, 1, 2 }, bed.Route.Cleared);
    }

    [TestMethod]
    [DataRow(TargetSession.Standby)]
    [DataRow(TargetSession.PreferStandby)]
    [DataRow(TargetSession.ReadOnly)]
    public void Reads_spread_over_the_standbys(TargetSession target)
    {
        var bed = new OpenSearchBed { Answer = host => Roles[host], Random = new(1) };
        bed.Knows(Roles);
        var served = Enumerable.Range(0, 100).Select(_ => (int)bed.Search(target)).CountBy(host => host).ToDictionary();
        CollectionAssert.AreEquivalent(new[] { 0, 2 }, served.Keys);
        Assert.IsTrue(served.Values.All(count => count > 25), string.Join(' ', served));
    }

    [TestMethod]
    [DataRow(TargetSession.PreferStandby, "Primary")]
    [DataRow(TargetSession.PreferPrimary, "Standby")]
    public void A_preference_settles_for_what_there_is_after_all_hosts_were_asked(TargetSession target, string role)
    {
        var bed = new OpenSearchBed { Answer = host => host == 1 ? Enum.Parse<HostRole>(role) : OpenSearchBed.Refused };
        Assert.AreEqual(1, bed.Search(target));
        Assert.HasCount(4, bed.Steps);
        Assert.EndsWith("b", bed.Steps);
        Assert.AreEqual("abc", string.Concat(bed.Steps[..3].Order()));
    }

    [TestMethod]
    public void A_preference_whose_second_best_fails_in_the_end_goes_on_looking()
    {
        var asked = 0;
        var bed = new OpenSearchBed(hosts: 2) { Answer = host => host == 0 ? OpenSearchBed.Refused : asked++ == 1 ? OpenSearchBed.Refused : Primary };
        Assert.AreEqual(1, bed.Search(TargetSession.PreferStandby));
        Assert.Contains("-", bed.Steps);
    }

    [TestMethod]
    [DataRow("3D000")]
    [DataRow("28P01")]
    [DataRow("28000")]
    [DataRow("42501")]
    public void The_refusal_of_a_host_that_fits_surfaces_as_itself(string sqlState)
    {
        var error = OpenSearchBed.Server(sqlState);
        var bed = new OpenSearchBed { Answer = host => host == 1 ? error : Standby };
        bed.Knows(Roles);
        Assert.AreSame(error, bed.Search(TargetSession.ReadWrite));
        Assert.DoesNotContain("-", bed.Steps);
    }

    [TestMethod]
    public void A_host_whose_certificate_does_not_fit_is_named()
    {
        var handshake = new NpgsqlException("Exception while performing SSL handshake", new AuthenticationException("RemoteCertificateNameMismatch"));
        var bed = new OpenSearchBed { Answer = host => host == 1 ? handshake : Standby };
        var error = Assert.IsInstanceOfType<NpgsqlException>(bed.Search(TargetSession.ReadWrite));
        Assert.AreEqual("b:5432: the TLS handshake failed: a certificate or a protocol version does not fit.", error.Message);
        Assert.AreSame(handshake, error.InnerException);
        Assert.AreSame(handshake, new OpenSearchBed(hosts: 1) { Answer = _ => handshake }.Search(TargetSession.Any), "A single host speaks for itself.");
    }

    [TestMethod]
    public void Idle_connections_to_a_single_host_are_dropped_when_it_does_not_fit_because_it_may_lead_elsewhere_by_now()
    {
        var asked = 0;
        var bed = new OpenSearchBed(hosts: 1) { Answer = _ => asked++ < 2 ? Standby : Primary };
        Assert.AreEqual(0, bed.Search(TargetSession.ReadWrite));
        CollectionAssert.AreEqual(new[] { 0, 0 }, bed.Route.Cleared);

        var several = new OpenSearchBed { Answer = host => host == 1 ? Primary : Standby };
        several.Search(TargetSession.ReadWrite);
        Assert.IsEmpty(several.Route.Cleared, "Others read from the standbys.");
    }

    [TestMethod]
    public void The_refusal_of_a_host_of_unknown_role_surfaces_as_itself_when_no_other_one_serves()
    {
        var error = OpenSearchBed.Server("28P01");
        var bed = new OpenSearchBed { Answer = host => host == 1 ? error : OpenSearchBed.Refused };
        Assert.AreSame(error, bed.Search(TargetSession.ReadWrite));
    }

    [TestMethod]
    [DataRow("3D000")]
    [DataRow("28P01")]
    public void The_refusal_of_a_host_that_does_not_fit_is_waited_out(string sqlState)
    {
        // A standby that lags behind does not have the database yet.
        var bed = new OpenSearchBed { Answer = host => host == 1 ? OpenSearchBed.Refused : OpenSearchBed.Server(sqlState) };
        bed.Knows(Roles);
        var error = Assert.IsInstanceOfType<NoSuitableHostException>(bed.Search(TargetSession.ReadWrite));
        Assert.Contains("-", bed.Steps);
        Assert.HasCount(3, error.Hosts);
    }

    [TestMethod]
    public void A_database_that_was_there_and_that_a_standby_has_not_heard_of_is_waited_for_until_the_primary_speaks()
    {
        var asked = 0;
        var missing = OpenSearchBed.Server("3D000");
        var bed = new OpenSearchBed { Answer = host => host == 1 ? asked++ < 3 ? OpenSearchBed.Refused : Primary : missing };
        Assert.AreSame(missing, bed.Search(TargetSession.ReadWrite), "Nobody was ever served: it is misspelt.");

        bed.Route.Served(0);
        Assert.AreEqual(1, bed.Search(TargetSession.ReadWrite));
        Assert.Contains("-", bed.Steps);

        bed.Answer = _ => missing;
        Assert.AreSame(missing, bed.Search(TargetSession.ReadWrite), "The primary speaks.");
        Assert.DoesNotContain("-", bed.Steps);
        bed.Cluster.Forget(1);
        Assert.AreSame(missing, bed.Search(TargetSession.ReadWrite), "Whoever it is, the primary is among them.");
        Assert.DoesNotContain("-", bed.Steps);
    }

    [TestMethod]
    public void A_host_that_serves_is_taken_though_another_one_refuses()
    {
        var bed = new OpenSearchBed { Answer = host => host == 1 ? Primary : OpenSearchBed.Server("28000") };
        Assert.AreEqual(1, bed.Search(TargetSession.ReadWrite));
    }

    [TestMethod]
    [DataRow("57P03")]
    [DataRow("53300")]
    public void A_server_that_is_starting_or_full_is_waited_for(string sqlState)
    {
        var asked = 0;
        var bed = new OpenSearchBed(hosts: 1) { Answer = _ => asked++ < 3 ? OpenSearchBed.Server(sqlState) : null };
        Assert.AreEqual(0, bed.Search(TargetSession.Any));
        Assert.AreEqual("a-a-a-a", bed.Steps);
    }

    [TestMethod]
    public void The_error_of_a_single_host_is_the_drivers_own()
    {
        var bed = new OpenSearchBed(hosts: 1);
        Assert.AreSame(OpenSearchBed.Refused, bed.Search(TargetSession.Any));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    public void No_host_is_tried_twice_without_a_wait_in_between(int hosts)
    {
        var bed = new OpenSearchBed(hosts, configure: options => options.MaxRetryCount = 0);
        bed.Cluster.Saw(0, Primary);
        bed.Search(TargetSession.ReadWrite);
        Assert.AreEqual("abc"[..hosts], string.Concat(bed.Steps.Order()));
    }

    [TestMethod]
    public void A_single_host_of_another_role_is_named_with_that_role()
    {
        var bed = new OpenSearchBed(hosts: 1) { Answer = _ => Standby };
        var error = Assert.IsInstanceOfType<NoSuitableHostException>(bed.Search(TargetSession.ReadWrite));
        Assert.AreEqual("No host can serve a session of the kind ReadWrite: a:5432 (it is a standby (in recovery)).", error.Message);
    }

    [TestMethod]
    public void The_error_names_every_host_and_why()
    {
        var bed = new OpenSearchBed
        {
            Answer = host => host switch { 0 => Standby, 1 => HostRole.ReadOnlyPrimary, _ => OpenSearchBed.Refused },
        };
        var error = Assert.IsInstanceOfType<NoSuitableHostException>(bed.Search(TargetSession.ReadWrite));
        Assert.AreEqual(
            "No host can serve a session of the kind ReadWrite: a:5432 (it is a standby (in recovery)); "
            + "b:5432 (it is a primary with default_transaction_read_only = on); c:5432 (the host cannot be reached).",
            error.Message);
        Assert.AreSame(OpenSearchBed.Refused, error.InnerException);
    }

    [TestMethod]
    public void A_primary_that_takes_writes_is_no_standby()
    {
        var bed = new OpenSearchBed(hosts: 1) { Answer = _ => Primary };
        Assert.Contains("it is a primary that accepts writes", ((Exception)bed.Search(TargetSession.Standby)).Message);
    }

    [TestMethod]
    public void A_host_that_was_left_out_because_it_stalled_is_asked_before_anybody_gives_up()
    {
        var bed = new OpenSearchBed(configure: options => options.FailoverTimeout = TimeSpan.FromSeconds(1)) { Answer = host => host == 0 ? Primary : Standby };
        bed.Cluster.Failed(0, stalled: true, bed.Time);
        Assert.AreEqual(0, bed.Search(TargetSession.ReadWrite));
        Assert.DoesNotContain("a", bed.Steps[..^1]);
    }

    [TestMethod]
    public void A_host_that_stalled_is_in_the_error_even_when_there_is_only_one_pass()
    {
        var bed = new OpenSearchBed(configure: options => options.MaxRetryCount = 0) { Answer = host => host == 0 ? OpenSearchBed.Refused : Standby };
        bed.Cluster.Failed(0, stalled: true, bed.Time);
        var error = Assert.IsInstanceOfType<NoSuitableHostException>(bed.Search(TargetSession.ReadWrite));
        CollectionAssert.AreEqual(new[] { "a:5432", "b:5432", "c:5432" }, error.Hosts.Select(host => host.Host).ToArray());
    }

    [TestMethod]
    public void A_host_that_took_its_time_to_fail_is_left_out_of_the_next_search()
    {
        var bed = new OpenSearchBed(hosts: 2);
        bed.Answer = host =>
        {
            bed.Time.Advance(host == 0 ? Cluster.Stall : TimeSpan.Zero);
            return host == 0 ? OpenSearchBed.Refused : Standby;
        };
        Assert.AreEqual(1, bed.Search(TargetSession.PreferPrimary));
        Assert.Contains("a", bed.Steps);

        Assert.AreEqual(1, bed.Search(TargetSession.PreferPrimary));
        Assert.DoesNotContain("a", bed.Steps);
    }
}
