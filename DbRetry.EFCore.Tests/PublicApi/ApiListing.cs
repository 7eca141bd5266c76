using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace DbRetry.EFCore.Tests.PublicApi;

/// <summary>The public types of an assembly and their members, one to a line, in an order that does not depend on the compiler.</summary>
internal static class ApiListing
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    public static string Of(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            text.Append(text.Length == 0 ? string.Empty : "\n").Append(Describe(type)).Append('\n');
            foreach (var member in type.IsEnum ? Values(type) : Members(type).Order(StringComparer.Ordinal))
            {
                text.Append("    ").Append(member).Append('\n');
            }
        }

        return text.ToString();
    }

    private static string Describe(Type type)
    {
        var kind = type switch
        {
            { IsEnum: true } => "enum",
            { IsInterface: true } => "interface",
            { IsValueType: true } => "struct",
            { IsAbstract: true, IsSealed: true } => "static class",
            { IsAbstract: true } => "abstract class",
            { IsSealed: true } => "sealed class",
            _ => "class",
        };
        var bases = new[] { type.IsValueType || type.BaseType == typeof(object) ? null : type.BaseType }
            .Concat(type.IsEnum ? [] : type.GetInterfaces().Except(type.BaseType?.GetInterfaces() ?? []).OrderBy(TypeNames.Of, StringComparer.Ordinal))
            .OfType<Type>()
            .Select(TypeNames.Of)
            .ToList();
        return $"public {kind} {type.Namespace}.{TypeNames.Of(type)}{(bases.Count == 0 ? string.Empty : " : " + string.Join(", ", bases))}";
    }

    private static IEnumerable<string> Values(Type type)
        => type.GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(field => (field.Name, Value: Convert.ToInt64(field.GetRawConstantValue())))
            .OrderBy(field => field.Value)
            .Select(field => $"{field.Name} = {field.Value}");

    private static IEnumerable<string> Members(Type type)
    {
        return type.GetConstructors(Declared).Select(constructor => $"{TypeNames.Of(type)}({Parameters(constructor)})")
            .Concat(type.GetFields(Declared).Select(field => $"{Static(field.IsStatic)}{TypeNames.Of(field)} {field.Name}"))
            .Concat(type.GetProperties(Declared).Select(Describe))
            .Concat(type.GetEvents(Declared).Select(raised => $"event {TypeNames.Of(raised.EventHandlerType!)} {raised.Name}"))
            .Concat(type.GetMethods(Declared).Where(method => !method.IsSpecialName).Select(Describe));
    }

    private static string Describe(PropertyInfo property)
    {
        var accessors = $"{(property.GetMethod is { IsPublic: true } ? " get;" : string.Empty)}{Setter(property)}";
        return $"{Static(property.GetAccessors()[0].IsStatic)}{TypeNames.Of(property)} {property.Name} {{{accessors} }}";
    }

    private static string Setter(PropertyInfo property)
        => property.SetMethod is not { IsPublic: true } setter
            ? string.Empty
            : setter.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? " init;" : " set;";

    private static string Describe(MethodInfo method)
    {
        var generic = method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(TypeNames.Of))}>" : string.Empty;
        var overriding = method.GetBaseDefinition() != method ? "override " : string.Empty;
        return $"{Static(method.IsStatic)}{overriding}{TypeNames.Of(method.ReturnParameter)} {method.Name}{generic}({Parameters(method)}){Constraints(method)}";
    }

    private static string Constraints(MethodInfo method)
        => string.Concat(method.GetGenericArguments()
            .Where(argument => argument.IsGenericParameter && argument.GetGenericParameterConstraints().Length > 0)
            .Select(argument => $" where {argument.Name} : {string.Join(", ", argument.GetGenericParameterConstraints().Select(TypeNames.Of))}"));

    private static string Parameters(MethodBase method)
    {
        var extension = method.IsDefined(typeof(ExtensionAttribute)) ? "this " : string.Empty;
        return extension + string.Join(", ", method.GetParameters().Select(parameter
            => $"{(parameter.IsOut ? "out " : string.Empty)}{TypeNames.Of(parameter)} {parameter.Name}{(parameter.HasDefaultValue ? " = " + Default(parameter) : string.Empty)}"));
    }

    private static string Default(ParameterInfo parameter)
        => parameter.DefaultValue switch
        {
            null => parameter.ParameterType.IsValueType && Nullable.GetUnderlyingType(parameter.ParameterType) is null ? "default" : "null",
            bool value => value ? "true" : "false",
            string value => $"\"{value}\"",
            var value => Convert.ToString(value)!,
        };

    private static string Static(bool isStatic) => isStatic ? "static " : string.Empty;
}
