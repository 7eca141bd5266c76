using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace DbRetry.EFCore.Analyzers.Units;

/// <summary>
/// Methods whose effect leaves the process and cannot be taken back, by name, so that none of these libraries need be there.
/// </summary>
/// <remarks>
/// Requests that only read (GET) are not among them, nor are buses that may keep what is sent in an outbox in the same database (MassTransit,
/// NServiceBus, Wolverine, CAP): there, a unit is just the right place.
/// </remarks>
internal sealed class KnownEffects
{
    private const string AddedOption = "dbretry_effects";
    private const string ExceptedOption = "dbretry_no_effects";

    private static readonly char[] Separators = [',', ' ', '|'];

    private static readonly ImmutableArray<MethodPattern> BuiltIn =
    [
        .. new[]
        {
            "System.Net.Http.HttpClient.Post*",
            "System.Net.Http.HttpClient.Put*",
            "System.Net.Http.HttpClient.Patch*",
            "System.Net.Http.HttpClient.Delete*",
            "System.Net.Http.HttpMessageInvoker.Send*",
            "System.Net.Http.Json.HttpClientJsonExtensions.Post*",
            "System.Net.Http.Json.HttpClientJsonExtensions.Put*",
            "System.Net.Http.Json.HttpClientJsonExtensions.Patch*",
            "System.Net.Http.Json.HttpClientJsonExtensions.Delete*",
            "System.Net.Mail.SmtpClient.Send*",
            "MailKit.IMailTransport.Send*",
            "MailKit.MailTransport.Send*",
            "SendGrid.ISendGridClient.Send*",
            "System.Threading.Channels.ChannelWriter.Write*",
            "System.Threading.Channels.ChannelWriter.TryWrite",
            "Azure.Messaging.ServiceBus.ServiceBusSender.S*",
            "Azure.Messaging.EventHubs.Producer.EventHubProducerClient.Send*",
            "Azure.Messaging.EventGrid.EventGridPublisherClient.Send*",
            "Azure.Storage.Queues.QueueClient.Send*",
            "Amazon.SQS.IAmazonSQS.Send*",
            "Amazon.SimpleNotificationService.IAmazonSimpleNotificationService.Publish*",
            "Amazon.EventBridge.IAmazonEventBridge.Put*",
            "Google.Cloud.PubSub.V1.PublisherClient.Publish*",
            "RabbitMQ.Client.IModel.BasicPublish",
            "RabbitMQ.Client.IModelExensions.BasicPublish",
            "RabbitMQ.Client.IChannel.BasicPublish*",
            "RabbitMQ.Client.IChannelExtensions.BasicPublish*",
            "Confluent.Kafka.IProducer.Produce*",
            "NATS.Client.Core.INatsConnection.Publish*",
            "NATS.Client.Core.INatsClient.Publish*",
            "MQTTnet.IMqttClient.Publish*",
            "MQTTnet.Client.IMqttClient.Publish*",
            "StackExchange.Redis.ISubscriber.Publish*",
            "Microsoft.AspNetCore.SignalR.IClientProxy.Send*",
            "Microsoft.AspNetCore.SignalR.ClientProxyExtensions.Send*",
        }.Select(MethodPattern.Parse),
    ];

    private readonly ImmutableArray<MethodPattern> _patterns;
    private readonly ImmutableArray<MethodPattern> _exceptions;

    private KnownEffects(AnalyzerConfigOptions options)
    {
        _patterns = BuiltIn.AddRange(Read(options, AddedOption));
        _exceptions = Read(options, ExceptedOption);
    }

    /// <summary>The built-in ones and what .editorconfig adds to them or takes away.</summary>
    internal static KnownEffects For(AnalyzerOptions options, SyntaxTree file) => new(options.AnalyzerConfigOptionsProvider.GetOptions(file));

    internal bool Include(IMethodSymbol method, ITypeSymbol? receiver)
    {
        var types = Types(method, receiver).Select(type => type.FullName()).Distinct().ToList();
        return types.Any(type => _patterns.Any(pattern => pattern.Matches(type, method.Name)))
            && !types.Any(type => _exceptions.Any(pattern => pattern.Matches(type, method.Name)));
    }

    private static IEnumerable<INamedTypeSymbol> Types(IMethodSymbol method, ITypeSymbol? receiver)
    {
        for (var type = (receiver as INamedTypeSymbol) ?? method.ContainingType; type is not null; type = type.BaseType)
        {
            yield return type;
        }

        foreach (var implemented in receiver?.AllInterfaces ?? method.ContainingType.AllInterfaces)
        {
            yield return implemented;
        }
    }

    private static ImmutableArray<MethodPattern> Read(AnalyzerConfigOptions options, string name)
        => options.TryGetValue(name, out var list)
            ? [.. list.Split(Separators, StringSplitOptions.RemoveEmptyEntries).Select(MethodPattern.Parse)]
            : [];
}
