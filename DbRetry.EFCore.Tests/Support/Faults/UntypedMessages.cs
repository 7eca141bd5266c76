namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>Stand-ins for the type byte that the messages before authentication do not have.</summary>
internal static class UntypedMessages
{
    public const char Startup = '~';
    public const char SslRequest = '?';
    public const char GssEncryptionRequest = '%';
    public const char CancelRequest = '!';

    /// <summary>The single byte that answers the two requests for encryption.</summary>
    public const char EncryptionAnswer = '=';

    public static char FromCode(int code) => code switch
    {
        80877102 => CancelRequest,
        80877103 => SslRequest,
        80877104 => GssEncryptionRequest,
        _ => Startup,
    };
}
