using System.Data;
using DbRetry.EFCore.Transactions;

namespace DbRetry.EFCore.Tests.Transactions;

[TestClass]
public class ScopeRulesTests
{
    [TestMethod]
    [DataRow(null, TransactionScopeMode.ReadWrite, null)]
    [DataRow(IsolationLevel.Unspecified, TransactionScopeMode.ReadWrite, null)]
    [DataRow(IsolationLevel.RepeatableRead, TransactionScopeMode.ReadOnly, IsolationLevel.RepeatableRead)]
    [DataRow(null, TransactionScopeMode.ReadOnly, null)]
    [DataRow(null, TransactionScopeMode.ReadOnlyDeferrable, IsolationLevel.Serializable)]
    [DataRow(IsolationLevel.Serializable, TransactionScopeMode.ReadOnlyDeferrable, IsolationLevel.Serializable)]
    public void A_transaction_begins_with_the_level_that_was_asked_for(IsolationLevel? asked, TransactionScopeMode mode, IsolationLevel? begun)
        => Assert.AreEqual(begun, ScopeRules.LevelToBegin(asked, mode));

    [TestMethod]
    [DataRow(IsolationLevel.ReadCommitted)]
    [DataRow(IsolationLevel.RepeatableRead)]
    public void Only_a_serializable_transaction_can_be_deferrable(IsolationLevel asked)
        => Assert.Contains(
            asked.ToString(),
            Assert.ThrowsExactly<ArgumentException>(() => ScopeRules.LevelToBegin(asked, TransactionScopeMode.ReadOnlyDeferrable)).Message);

    [TestMethod]
    [DataRow(null, IsolationLevel.Serializable, true)]
    [DataRow(IsolationLevel.Unspecified, IsolationLevel.Serializable, true)]
    [DataRow(IsolationLevel.Serializable, IsolationLevel.Serializable, true)]
    [DataRow(IsolationLevel.Snapshot, IsolationLevel.RepeatableRead, true)]
    [DataRow(IsolationLevel.ReadUncommitted, IsolationLevel.ReadCommitted, true)]
    [DataRow(IsolationLevel.Serializable, IsolationLevel.ReadCommitted, false)]
    [DataRow(IsolationLevel.ReadCommitted, IsolationLevel.Serializable, false)]
    [DataRow(IsolationLevel.RepeatableRead, IsolationLevel.Serializable, false)]
    public void A_scope_joins_a_transaction_of_the_level_that_it_asked_for(IsolationLevel? asked, IsolationLevel present, bool joins)
        => Assert.AreEqual(
            joins, ScopeRules.WhyNotJoin(asked, TransactionScopeMode.ReadWrite, present, TransactionScopeMode.ReadWrite) is null);

    [TestMethod]
    [DataRow(TransactionScopeMode.ReadWrite, TransactionScopeMode.ReadOnly, true)]
    [DataRow(TransactionScopeMode.ReadOnly, TransactionScopeMode.ReadOnly, true)]
    [DataRow(TransactionScopeMode.ReadOnly, TransactionScopeMode.ReadWrite, false)]
    [DataRow(TransactionScopeMode.ReadOnlyDeferrable, TransactionScopeMode.ReadOnly, false)]
    public void A_scope_that_must_not_write_joins_only_a_transaction_that_cannot(TransactionScopeMode asked, TransactionScopeMode present, bool joins)
        => Assert.AreEqual(joins, ScopeRules.WhyNotJoin(null, asked, IsolationLevel.ReadCommitted, present) is null);
}
