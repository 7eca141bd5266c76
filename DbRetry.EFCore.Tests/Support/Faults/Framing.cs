namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>How the next bytes of a stream are to be cut into messages.</summary>
internal enum Framing
{
    /// <summary>Length and body: what a frontend sends first.</summary>
    Untyped,

    /// <summary>Type, length and body.</summary>
    Typed,

    /// <summary>The answer to a request for encryption.</summary>
    SingleByte,

    /// <summary>Encrypted: whatever there is.</summary>
    Opaque,
}
