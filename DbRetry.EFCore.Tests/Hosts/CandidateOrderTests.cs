using DbRetry.EFCore.Hosts;

namespace DbRetry.EFCore.Tests.Hosts;

[TestClass]
public sealed class CandidateOrderTests
{
    private const long Now = 1000;

    private static readonly Dictionary<char, HostKnowledge> Known = new()
    {
        ['?'] = HostKnowledge.Nothing,
        ['P'] = new(HostRole.Primary, null, null, false),
        ['R'] = new(HostRole.ReadOnlyPrimary, null, null, false),
        ['S'] = new(HostRole.Standby, null, null, false),
        ['O'] = new(HostRole.SupersededPrimary, new ServerTimeline(1, 1), null, false),
        ['x'] = new(null, null, Now + 1, false), // refused just now
        ['z'] = new(null, null, Now + 1, true), // did not answer just now
        ['o'] = new(null, null, Now, false), // refused a while ago
        ['w'] = new(null, null, Now, true), // did not answer a while ago
    };

    // Each letter is a host; those within one pair of brackets may come in any order.
    [TestMethod]
    [DataRow("SSP", TargetSession.ReadWrite, "P(SS)", DisplayName = "the primary first")]
    [DataRow("OPS", TargetSession.ReadWrite, "P(OS)", DisplayName = "one that was replaced is no primary")]
    [DataRow("S?P", TargetSession.ReadWrite, "P?S", DisplayName = "then the unknown one, then the unfit one")]
    [DataRow("SRP", TargetSession.Primary, "(RP)S")]
    [DataRow("SRP", TargetSession.ReadOnly, "(SR)P")]
    [DataRow("PSS", TargetSession.Standby, "(SS)P")]
    [DataRow("PSS", TargetSession.PreferStandby, "(SS)P")]
    [DataRow("SPx", TargetSession.PreferPrimary, "PSx")]
    [DataRow("xSP", TargetSession.PreferStandby, "SPx")]
    [DataRow("xSS", TargetSession.ReadWrite, "(SS)x", DisplayName = "one that refused comes last")]
    [DataRow("?x?", TargetSession.Any, "(??)x")]
    [DataRow("SP?", TargetSession.Any, "(SP?)")]
    [DataRow("S?P", TargetSession.PreferStandby, "(S?)P", DisplayName = "a standby that nobody has seen yet gets its share")]
    [DataRow("S?P", TargetSession.PreferPrimary, "P?S")]
    [DataRow("zSP", TargetSession.ReadWrite, "PS", DisplayName = "one that did not answer is left out")]
    [DataRow("zSx", TargetSession.ReadWrite, "Sx")]
    [DataRow("zz", TargetSession.ReadWrite, "(zz)", DisplayName = "unless there is nothing else")]
    [DataRow("z", TargetSession.Any, "z")]
    [DataRow("o?S", TargetSession.ReadWrite, "(o?)S", DisplayName = "a penalty that is over")]
    [DataRow("wSP", TargetSession.Standby, "(wS)P", DisplayName = "a standby that came back gets its share")]
    [DataRow("wS", TargetSession.ReadWrite, "wS")]
    [DataRow("oPS", TargetSession.PreferStandby, "(oS)P")]
    public void Hosts_come_in_the_order_of_their_promise(string hosts, TargetSession target, string expected)
    {
        var knowledge = hosts.Select(host => Known[host]).ToArray();
        for (var seed = 0; seed < 20; seed++)
        {
            var order = CandidateOrder.Order(knowledge, target, Now, new Random(seed));
            var left = string.Concat(order.Select(host => hosts[host]));
            Assert.HasCount(order.Length, order.Distinct());
            AssertOrder(expected, left);
        }
    }

    [TestMethod]
    public void Hosts_that_promise_the_same_come_in_every_order()
    {
        HostKnowledge[] hosts = [Known['S'], Known['S'], Known['P']];
        var orders = Enumerable.Range(0, 100)
            .Select(seed => string.Join(',', CandidateOrder.Order(hosts, TargetSession.PreferStandby, Now, new Random(seed))))
            .GroupBy(order => order)
            .ToDictionary(group => group.Key, group => group.Count());

        CollectionAssert.AreEquivalent(new[] { "0,1,2", "1,0,2" }, orders.Keys);
        Assert.IsTrue(orders.Values.All(count => count > 25), string.Join(' ', orders));
    }

    [TestMethod]
    public void The_order_is_random_also_among_more_hosts_than_fit_on_the_stack()
    {
        var hosts = Enumerable.Repeat(Known['?'], 100).ToArray();
        var first = CandidateOrder.Order(hosts, TargetSession.Any, Now, new Random(1));
        var second = CandidateOrder.Order(hosts, TargetSession.Any, Now, new Random(2));

        CollectionAssert.AreEquivalent(Enumerable.Range(0, 100).ToArray(), first);
        CollectionAssert.AreNotEqual(first, second);
    }

    private static void AssertOrder(string expected, string actual)
    {
        var at = 0;
        foreach (var group in expected.Split(['(', ')'], StringSplitOptions.None).Select((text, i) => (Text: text, AnyOrder: i % 2 == 1)))
        {
            Assert.IsGreaterThanOrEqualTo(at + group.Text.Length, actual.Length, $"expected {expected}, got {actual}");
            var part = actual.Substring(at, group.Text.Length);
            at += group.Text.Length;
            if (group.AnyOrder)
            {
                Assert.AreEqual(string.Concat(group.Text.Order()), string.Concat(part.Order()), $"expected {expected}, got {actual}");
            }
            else
            {
                Assert.AreEqual(group.Text, part, $"expected {expected}, got {actual}");
            }
        }

        Assert.AreEqual(at, actual.Length, $"expected {expected}, got {actual}");
    }
}
