using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class StatementNatureTests
{
    [TestMethod]
    [DataRow("SELECT * FROM posts")]
    [DataRow("  select 1;\n")]
    [DataRow("-- update\nselect 1")]
    [DataRow("/* insert /* nested */ delete */ select 1")]
    [DataRow("(select 1) union (select 2)")]
    [DataRow("VALUES (1)")]
    [DataRow("TABLE posts")]
    [DataRow("show server_version")]
    [DataRow("explain select 1")]
    [DataRow("with x as (select 1) select * from x")]
    [DataRow("select 'delete from t', $1")]
    [DataRow("select 'it''s; delete' from t")]
    [DataRow("select E'\\'; delete from t --' from t")]
    [DataRow("select $$ delete $$, $tag$ $$ update $tag$")]
    [DataRow("select \"delete\" from \"update \"\"merge\"")]
    [DataRow("select $1 + $2 from t")]
    [DataRow("select a$delete$ from t")]
    [DataRow("select 1e5, 0x1F, updated_at, deleted from inserts")]
    [DataRow("select call, do, copy, truncate, \"grant\", comment from words")]
    [DataRow("select * from t for update")]
    [DataRow("select * from t FOR NO KEY UPDATE skip locked")]
    [DataRow("select * from t for key share")]
    [DataRow("select nextval('s')")]
    [DataRow("select my_function(1)")]
    [DataRow("select 1; select 2")]
    [DataRow("select 1 -- no line end")]
    [DataRow("select 3 / 2 - 1 * $")]
    public void a_query_that_reads(string sql)
        => Assert.IsFalse(StatementNature.MayWrite(CommandSource.FromSqlQuery, sql));

    [TestMethod]
    [DataRow("INSERT INTO t VALUES (1) RETURNING *")]
    [DataRow("update t set a = 1 returning *")]
    [DataRow("delete from t returning *")]
    [DataRow("merge into t using s on true when matched then do nothing")]
    [DataRow("with x as (delete from t returning *) select * from x")]
    [DataRow("with x as materialized(update t set a = 1 returning *) select * from x")]
    [DataRow("with x as (select 1) insert into t select * from x")]
    [DataRow("select * into copy_of_t from t")]
    [DataRow("explain analyze delete from t")]
    [DataRow("explain analyze execute p")]
    [DataRow("explain (analyze) create table x as select 1")]
    [DataRow("select 1; delete from t")]
    [DataRow("select 1; set x = 1")]
    [DataRow("call p()")]
    [DataRow("do $$ begin end $$")]
    [DataRow("copy t from stdin")]
    [DataRow("truncate t")]
    [DataRow("create table t ()")]
    [DataRow("alter table t add a int")]
    [DataRow("drop table t")]
    [DataRow("grant select on t to u")]
    [DataRow("vacuum")]
    [DataRow("begin")]
    [DataRow("select setval('s', 1)")]
    [DataRow("select pg_catalog.setval ('s', 1)")]
    [DataRow("select pg_advisory_lock(1)")]
    [DataRow("select pg_try_advisory_xact_lock(1)")]
    [DataRow("select pg_notify('c', 'p')")]
    [DataRow("select lo_create(0)")]
    [DataRow("select dblink_exec('delete from t')")]
    [DataRow("select pg_terminate_backend(1)")]
    [DataRow("select * from t for no key share; update t set a = 1")]
    [DataRow("")]
    [DataRow("-- nothing")]
    [DataRow("select 'unterminated")]
    [DataRow("select E'unterminated\\'")]
    [DataRow("select \"unterminated")]
    [DataRow("select /* unterminated /* */")]
    [DataRow("select $x$ unterminated $y$")]
    public void a_query_that_may_write(string sql)
    {
        Assert.IsTrue(StatementNature.MayWrite(CommandSource.FromSqlQuery, sql));
        Assert.IsTrue(StatementNature.MayWrite(CommandSource.ExecuteSqlRaw, sql));
        Assert.IsTrue(StatementNature.MayWrite(CommandSource.Unknown, sql));
    }

    [TestMethod]
    [DataRow(CommandSource.LinqQuery, "select f()", false)]
    [DataRow(CommandSource.FromSqlQuery, "select f()", false)]
    [DataRow(CommandSource.ValueGenerator, "SELECT nextval('\"Seq\"')", false)]
    [DataRow(CommandSource.SaveChanges, "select 1", true)]
    [DataRow(CommandSource.ExecuteUpdate, "select 1", true)]
    [DataRow(CommandSource.ExecuteDelete, "select 1", true)]
    [DataRow(CommandSource.ExecuteSqlRaw, "select 1", false)]
    [DataRow(CommandSource.ExecuteSqlRaw, "select f()", true)]
    [DataRow(CommandSource.ExecuteSqlRaw, "select count(*) from t where a in (1, 2) and exists (select 1)", false)]
    [DataRow(CommandSource.ExecuteSqlRaw, "select nextval('s')", false)]
    [DataRow(CommandSource.Migrations, "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relname='__EFMigrationsHistory')", false)]
    [DataRow(CommandSource.Migrations, "CREATE TABLE t ()", true)]
    [DataRow(CommandSource.Scaffolding, "select 1", false)]
    [DataRow(CommandSource.Unknown, "select refresh_everything()", true)]
    [DataRow((CommandSource)99, "update t set a = 1", true)]
    public void the_source_decides_what_the_text_leaves_open(CommandSource source, string sql, bool mayWrite)
        => Assert.AreEqual(mayWrite, StatementNature.MayWrite(source, sql));

    [TestMethod]
    [DataRow(CommandSource.ExecuteSqlRaw, "update t set a = 1; COMMIT; begin", true)]
    [DataRow(CommandSource.ExecuteSqlRaw, "end", true)]
    [DataRow(CommandSource.ExecuteSqlRaw, "ABORT AND CHAIN", true)]
    [DataRow(CommandSource.ExecuteSqlRaw, "rollback to savepoint s", true)]
    [DataRow(CommandSource.Migrations, "prepare transaction 'x'", true)]
    [DataRow(CommandSource.FromSqlQuery, "select 1; commit", true)]
    [DataRow(CommandSource.ExecuteSqlRaw, "select 'not closed", true)]
    [DataRow(CommandSource.ExecuteSqlRaw, "savepoint s", false)]
    [DataRow(CommandSource.ExecuteSqlRaw, "update t set a = case when b then 1 end", false)]
    [DataRow(CommandSource.ExecuteSqlRaw, "do 'begin commit; end'", false)]
    [DataRow(CommandSource.SaveChanges, "commit", false)]
    [DataRow(CommandSource.LinqQuery, "commit", false)]
    public void what_may_end_a_transaction_behind_EF_is_recognised(CommandSource source, string sql, bool mayEnd)
        => Assert.AreEqual(mayEnd, StatementNature.MayEndTransaction(source, sql));

    [TestMethod]
    [DataRow(CommandSource.LinqQuery, "anything", true)]
    [DataRow(CommandSource.SaveChanges, "anything", true)]
    [DataRow(CommandSource.ExecuteUpdate, "anything", true)]
    [DataRow(CommandSource.FromSqlQuery, "-- why\n(select 1)", true)]
    [DataRow(CommandSource.FromSqlQuery, "WITH a AS (SELECT 1) SELECT * FROM a", true)]
    [DataRow(CommandSource.ExecuteSqlRaw, "update t set a = 1", true)]
    [DataRow(CommandSource.ExecuteSqlRaw, "set transaction isolation level serializable", false)]
    [DataRow(CommandSource.ExecuteSqlRaw, "/* first */ lock table t; update t set a = 1", false)]
    [DataRow(CommandSource.ExecuteSqlRaw, "do 'begin end'", false)]
    [DataRow(CommandSource.ExecuteSqlRaw, "", false)]
    public void what_takes_a_snapshot_is_recognised_and_what_may_have_to_come_before_one_is_not(CommandSource source, string sql, bool takes)
        => Assert.AreEqual(takes, StatementNature.TakesSnapshot(source, sql));

    [TestMethod]
    [DataRow(CommandSource.ExecuteSqlRaw, "set transaction READ ONLY", true)]
    [DataRow(CommandSource.ExecuteSqlRaw, "set transaction_read_only to on", true)]
    [DataRow(CommandSource.FromSqlQuery, "select set_config('transaction_read_only', 'on', true)", true)]
    [DataRow(CommandSource.ExecuteSqlRaw, "update readers set n = 1", false)]
    [DataRow(CommandSource.LinqQuery, "select \"ReadOnly\" from t", false)]
    [DataRow(CommandSource.SaveChanges, "update t set read_only = true", false)]
    public void what_may_make_a_transaction_read_only_is_recognised(CommandSource source, string sql, bool mayForbid)
        => Assert.AreEqual(mayForbid, StatementNature.MayForbidWrites(source, sql));
}
