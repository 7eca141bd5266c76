using DbRetry.EFCore.Dsn;
using FsCheck;
using FsCheck.Fluent;

namespace DbRetry.EFCore.Tests.Dsn;

/// <summary>No password, and no piece of one, in an exception or in a text that gets logged.</summary>
[TestClass]
public sealed class DsnSecrecyTests
{
    // The password goes in raw, so that it breaks the DSN in every way a forgotten escape can.
    private static readonly string[] Templates =
    [
        "postgresql://u:{0}@h/d?nonsense=1",
        "postgresql://u:{0}@h/d?connect_timeout=x",
        "postgresql://h/d?password={0}&nonsense=1",
        "postgresql://h/d?nonsense={0}",
        "postgres:/u:{0}@h/d",
        "mysql://u:{0}@h/d?x=y",
        "u:{0}@h/d?sslmode=require",
        "host=h password={0} nonsense=1",
        "host=h password='{0} user=u",
        "password={0} nonsense=1",
        "Host=h;Password={0};Nonsense=1",
        "Host=h;Password='{0};Username=u",
        "Password={0};Username=u",
        "{0}",
    ];

    // A value of something else: it may become a host, but no message may quote it.
    private static readonly string[] Misplacements =
    [
        "postgresql://h:{0}/d",
        "postgresql://h/d?sslmode={0}",
        "postgresql://h/d?host={0}&port=x",
        "host=h port={0} user=u",
        "host=h sslmode={0} user=u",
        "host=h connect_timeout={0} user=u",
        "Host=h;Port={0};Username=u",
        "Host=h;SSL Mode={0};Username=u",
        "Host=h;Target Session Attributes={0};Username=u",
        "Host=h:{0};Username=u",
    ];

    [TestMethod]
    public void No_message_quotes_a_value() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(200), Prop.ForAll(DsnGenerators.Passwords, password =>
        {
            foreach (var template in Misplacements)
            {
                // With one of the separators it would be a value and an unknown keyword, and those are named.
                var value = string.Concat(password.Where(c => c is not (';' or '&' or '=') && !char.IsWhiteSpace(c)));
                var said = Say(template.Replace("{0}", value), logged: _ => string.Empty);
                Assert.DoesNotContain("Xq7", said, template);
                Assert.DoesNotContain("Zw9", said, template);
            }
        }));

    [TestMethod]
    public void No_message_holds_a_piece_of_the_password() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(200), Prop.ForAll(DsnGenerators.Passwords, password =>
        {
            foreach (var template in Templates)
            {
                var said = Say(template.Replace("{0}", password), logged: parsed => parsed.ToString());
                Assert.DoesNotContain("Xq7", said, template);
                Assert.DoesNotContain("Zw9", said, template);
            }
        }));

    [TestMethod]
    [DataRow("postgresql://u:p@ss?Xq7=x@h/d", DisplayName = "a bare @ in the password")]
    [DataRow("postgresql://u:1/x?Xq7=x@h/d", DisplayName = "a bare / in the password")]
    [DataRow("postgresql://u:1/x@Xq7:5/d")]
    [DataRow("postgresql://h/d?password=p&Xq7=1")]
    [DataRow("host=h password=p Xq7=1")]
    [DataRow("host=h password=p Xq7 user=u")]
    [DataRow("Host=h;Password=p;Xq7=1")]
    [DataRow("Host=h;Pwd=p;Xq7=1")]
    public void A_piece_that_looks_like_a_parameter_is_not_named(string dsn)
    {
        var exception = Assert.ThrowsExactly<FormatException>(() => ParsedDsn.Parse(dsn));
        Assert.DoesNotContain("xq7", exception.ToString().ToLowerInvariant());
    }

    [TestMethod]
    public void An_unknown_parameter_after_the_password_is_still_pointed_at() =>
        DsnAssert.Rejects("Host=h;Password=p;Nonsense=1", "character 19", "piece of a password");

    [TestMethod]
    public void What_gets_logged_holds_no_secret()
    {
        Assert.AreEqual("h:5432", ParsedDsn.Parse("postgresql://u:secret@h/d").ToString());
        Assert.AreEqual("'password' (character 3)", new DsnParameter("password", "secret", 3, true).ToString());
    }

    // Some of the templates are valid with some passwords; then what would be logged counts.
    private static string Say(string dsn, Func<ParsedDsn, string> logged)
    {
        try
        {
            return logged(ParsedDsn.Parse(dsn));
        }
        catch (FormatException exception)
        {
            return exception.ToString();
        }
    }
}
