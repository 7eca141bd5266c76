using System.Data;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Transactions;

namespace DbRetry.EFCore.Tests.Transactions;

[TestClass]
public class ScopeChainTests
{
    /// <summary>"+a" begins scope a, "!a" completes it, "-a" abandons it; the answer is a question mark where that throws.</summary>
    [TestMethod]
    [DataRow("+a !a", "keep")]
    [DataRow("+a -a", "undo")]
    [DataRow("+a +b !b !a", "- keep", DisplayName = "A nested scope only agrees")]
    [DataRow("+a +b -b !a", "- doomed", DisplayName = "One that does not agree dooms the outer one")]
    [DataRow("+a +b -b -a", "- undo")]
    [DataRow("+a +b +c -c !b -b !a", "- doomed - doomed")]
    [DataRow("+a +b !b +c -c !a", "- - doomed")]
    [DataRow("+a +b !a", "order", DisplayName = "The outer one cannot be completed while the inner one is open")]
    [DataRow("+a +b -a !b", "undo order", DisplayName = "The outer one ended first")]
    [DataRow("+a +b -a -b", "undo -")]
    [DataRow("+a +b !b -b !a", "- - keep", DisplayName = "Disposal after completion changes nothing")]
    [DataRow("+a !a -a", "keep undo", DisplayName = "A completion that was not followed by End has failed")]
    public void What_follows_from_what_the_scopes_say(string steps, string answers)
    {
        var chain = new ScopeChain(IsolationLevel.ReadCommitted, TransactionScopeMode.ReadWrite);
        var given = new List<string>();
        foreach (var step in steps.Split(' '))
        {
            var scope = string.Intern(step[1..]);
            switch (step[0])
            {
                case '+':
                    chain.Enter(scope);
                    break;
                case '!':
                    given.Add(Complete(chain, scope));
                    break;
                default:
                    given.Add(chain.Abandon(scope) ? "undo" : "-");
                    break;
            }
        }

        Assert.AreEqual(answers, string.Join(' ', given));
        Assert.AreEqual(given.Contains("undo"), chain.IsOver);
    }

    [TestMethod]
    public void After_the_end_nothing_is_left_to_be_undone()
    {
        var chain = new ScopeChain(IsolationLevel.ReadCommitted, TransactionScopeMode.ReadWrite);
        chain.Enter("a");
        Assert.IsTrue(chain.Complete("a"));
        chain.End();

        Assert.IsTrue(chain.IsOver);
        Assert.IsFalse(chain.Abandon("a"));
    }

    private static string Complete(ScopeChain chain, object scope)
    {
        try
        {
            return chain.Complete(scope) ? "keep" : "-";
        }
        catch (TransactionScopeDoomedException)
        {
            return "doomed";
        }
        catch (InvalidOperationException)
        {
            return "order";
        }
    }
}
