using DbRetry.EFCore.Dsn;

namespace DbRetry.EFCore.Tests.Dsn;

[TestClass]
public sealed class LibpqParametersTests
{
    [TestMethod]
    [DataRow("user=u", "Username=u")]
    [DataRow("password=p", "Password=p")]
    [DataRow("dbname=d", "Database=d")]
    [DataRow("passfile=/p", "Passfile=/p")]
    [DataRow("application_name=a", "Application Name=a")]
    [DataRow("fallback_application_name=a", "Application Name=a")]
    [DataRow("fallback_application_name=a application_name=b", "Application Name=b")]
    [DataRow("options='-c geqo=off'", "Options='-c geqo=off'")]
    [DataRow("sslcert=/c sslkey=/k sslpassword=p", "SSL Certificate=/c;SSL Key=/k;SSL Password=p")]
    [DataRow("sslrootcert=/r", "Root Certificate=/r")]
    [DataRow("sslrootcert=/r sslmode=prefer", "Root Certificate=/r;SSL Mode=Prefer")]
    [DataRow("sslrootcert=/r sslmode=require", "Root Certificate=/r;SSL Mode=VerifyCA", DisplayName = "require with a root certificate verifies, as in libpq")]
    [DataRow("sslrootcert=/r sslmode=verify-full", "Root Certificate=/r;SSL Mode=VerifyFull")]
    [DataRow("sslrootcert=system", "SSL Mode=VerifyFull")]
    [DataRow("sslmode=verify-full sslrootcert=system", "SSL Mode=VerifyFull")]
    [DataRow("sslmode=disable", "SSL Mode=Disable")]
    [DataRow("sslmode=allow", "SSL Mode=Allow")]
    [DataRow("sslmode=prefer", "SSL Mode=Prefer")]
    [DataRow("sslmode=require", "SSL Mode=Require")]
    [DataRow("sslmode=verify-ca", "SSL Mode=VerifyCA")]
    [DataRow("sslmode=VerifyFull", "SSL Mode=VerifyFull")]
    [DataRow("sslmode=require sslnegotiation=direct", "SSL Mode=Require;SSL Negotiation=Direct")]
    [DataRow("gssencmode=disable", "GSS Encryption Mode=Disable")]
    [DataRow("krbsrvname=k", "Kerberos Service Name=k")]
    [DataRow("channel_binding=require", "Channel Binding=Require")]
    [DataRow("require_auth=scram-sha-256,md5,password,gss,sspi,none", "Require Auth='ScramSHA256,MD5,Password,GSS,SSPI,None'")]
    [DataRow("require_auth='!password, !md5'", "Require Auth='!Password,!MD5'")]
    [DataRow("client_encoding=utf8", "Client Encoding=UTF8")]
    [DataRow("connect_timeout=10", "Timeout=10")]
    [DataRow("connect_timeout=0", "Timeout=0")]
    [DataRow("connect_timeout=-1", "Timeout=0")]
    [DataRow("connect_timeout=5 timeout=5", "Timeout=5")]
    [DataRow("keepalives=1", "TCP Keepalive=true")]
    [DataRow("keepalives=0 keepalives_idle=5 keepalives_interval=6", "TCP Keepalive=false")]
    [DataRow("keepalives_interval=6 keepalives_idle=5", "TCP Keepalive Time=5;TCP Keepalive Interval=6")]
    [DataRow("keepalives_idle=0 keepalives_interval=0 keepalives_count=0", "")]
    [DataRow("replication=false tcp_user_timeout=0 sslcompression=0 sslsni=1 sslcertmode=allow gssdelegation=0", "")]
    [DataRow("ssl_min_protocol_version=TLSv1.2 min_protocol_version=3.0 service='' sslcrl=''", "")]
    [DataRow("Pooling=false MaxPoolSize=5 Enlist=false", "Pooling=false;Maximum Pool Size=5;Enlist=false")]
    public void Each_becomes_its_equal(string parameters, string expected) =>
        DsnAssert.Means($"Host=h;Username=x;{expected}".Replace(expected.Contains("Username") ? "Username=x;" : "\0", ""),
            $"host=h {(parameters.Contains("user=") ? "" : "user=x ")}{parameters}");

    [TestMethod]
    [DataRow("target_session_attrs=read-write", "Target Session Attributes=read-write")]
    [DataRow("target_session_attrs=Prefer-Primary", "Target Session Attributes=prefer-primary")]
    [DataRow("target_session_attrs=any", "Target Session Attributes=any")]
    [DataRow("load_balance_hosts=random", "Load Balance Hosts=true")]
    [DataRow("load_balance_hosts=disable", "Load Balance Hosts=false")]
    [DataRow("LoadBalanceHosts=true HostRecheckSeconds=4", "Load Balance Hosts=true;Host Recheck Seconds=4")]
    public void Those_that_choose_a_host_survive_with_several_hosts(string parameters, string expected) =>
        DsnAssert.Means($"Host=a,b;{expected}", $"host=a,b {parameters}");

    [TestMethod]
    [DataRow("keepalives_count=3", "'keepalives_count'", "number of keepalives")]
    [DataRow("tcp_user_timeout=3", "TCP_USER_TIMEOUT")]
    [DataRow("replication=database", "'replication'")]
    [DataRow("service=x", "service files")]
    [DataRow("sslcrl=/x", "revocation")]
    [DataRow("sslsni=0", "'sslsni'")]
    [DataRow("oauth_issuer=x", "OAuth")]
    [DataRow("client_encoding=LATIN1", "UTF8")]
    [DataRow("sslmode=nonsense", "'sslmode'", "verify-full")]
    [DataRow("sslmode=require sslrootcert=system", "verify-full")]
    [DataRow("sslrootcert=system RootCertificate=/r", "contradicts")]
    [DataRow("require_auth=oauth", "'require_auth'", "scram-sha-256")]
    [DataRow("require_auth=md5,!gss", "'require_auth'", "does not accept")]
    [DataRow("target_session_attrs=master", "'target_session_attrs'", "does not accept")]
    [DataRow("load_balance_hosts=true", "random")]
    [DataRow("connect_timeout=abc", "no whole number")]
    [DataRow("connect_timeout=1025", "1024")]
    [DataRow("connect_timeout=5 timeout=6", "contradicts")]
    [DataRow("keepalives=yes", "no whole number")]
    [DataRow("keepalives_interval=6", "needs keepalives_idle")]
    [DataRow("keepalives_interval=6 keepalives_idle=0", "needs keepalives_idle")]
    [DataRow("Pooling=maybe", "'Pooling'", "does not accept")]
    public void What_Npgsql_cannot_honour_is_refused_with_a_reason(string parameters, params string[] fragments) =>
        DsnAssert.Rejects($"host=h user=u {parameters}", fragments);

    [TestMethod]
    public void No_name_is_in_two_tables()
    {
        var names = LibpqParameters.Renamed.Keys.Concat(LibpqParameters.Choices.Keys).Concat(LibpqParameters.WithoutEqual.Keys).ToArray();
        Assert.HasCount(names.Length, names.Distinct(StringComparer.OrdinalIgnoreCase).ToArray());
    }
}
