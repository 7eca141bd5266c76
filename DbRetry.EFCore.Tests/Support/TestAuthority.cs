using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using DbRetry.EFCore.Tests.Support.Cluster;

namespace DbRetry.EFCore.Tests.Support;

/// <summary>A certificate authority that nobody trusts unless told to.</summary>
internal sealed class TestAuthority : IDisposable
{
    private readonly DateTimeOffset _now = DateTimeOffset.UtcNow;
    private readonly X509Certificate2 _certificate;

    public TestAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=DbRetry's tests", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _certificate = request.CreateSelfSigned(_now.AddDays(-1), _now.AddDays(1));
    }

    public X509Certificate2 Certificate => _certificate;

    /// <summary>Writes <c>server.crt</c> and <c>server.key</c> for a server of these names or addresses.</summary>
    public void Issue(string folder, params IEnumerable<string> names)
    {
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (var name in names)
        {
            if (IPAddress.TryParse(name, out var address))
            {
                alternatives.AddIpAddress(address);
            }
            else
            {
                alternatives.AddDnsName(name);
            }
        }

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=server", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(alternatives.Build());
        using var certificate = request.Create(_certificate, _now.AddDays(-1), _now.AddDays(1).AddMinutes(-1), RandomNumberGenerator.GetBytes(8));
        Write(Path.Combine(folder, "server.crt"), certificate.ExportCertificatePem());
        Write(Path.Combine(folder, "server.key"), key.ExportPkcs8PrivateKeyPem());
    }

    public void Dispose() => _certificate.Dispose();

    // The server refuses a key that others may read.
    private static void Write(string path, string text)
    {
        File.WriteAllText(path, text);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        ServerAccount.Current.Own(path);
    }
}
