using System.Reflection;

namespace DbRetry.EFCore.Tests.PublicApi;

/// <summary>Types as C# writes them, with their nullability.</summary>
internal static class TypeNames
{
    private static readonly Dictionary<Type, string> Keywords = new()
    {
        [typeof(void)] = "void",
        [typeof(bool)] = "bool",
        [typeof(int)] = "int",
        [typeof(long)] = "long",
        [typeof(ulong)] = "ulong",
        [typeof(string)] = "string",
        [typeof(object)] = "object",
    };

    private static readonly NullabilityInfoContext Nullability = new();

    public static string Of(Type type)
        => Nullable.GetUnderlyingType(type) is { } inner ? Of(inner) + "?"
            : type.IsByRef ? Of(type.GetElementType()!)
            : type.IsArray ? Of(type.GetElementType()!) + "[]"
            : Keywords.TryGetValue(type, out var keyword) ? keyword
            : type.IsGenericType ? $"{Simple(type)}<{string.Join(", ", type.GetGenericArguments().Select(Of))}>"
            : type.IsNested && !type.IsGenericParameter ? $"{Of(type.DeclaringType!)}.{type.Name}"
            : type.Name;

    public static string Of(ParameterInfo parameter) => Of(Nullability.Create(parameter));

    public static string Of(PropertyInfo property) => Of(Nullability.Create(property));

    public static string Of(FieldInfo field) => Of(Nullability.Create(field));

    private static string Of(NullabilityInfo info)
    {
        var type = info.Type.IsByRef ? info.Type.GetElementType()! : info.Type;
        if (Nullable.GetUnderlyingType(type) is not null)
        {
            return Of(type);
        }

        var name = info.GenericTypeArguments.Length > 0
            ? $"{Simple(type)}<{string.Join(", ", info.GenericTypeArguments.Select(Of))}>"
            : info.ElementType is { } element ? Of(element) + "[]" : Of(type);
        return !type.IsValueType && !type.IsGenericParameter && info.ReadState is NullabilityState.Nullable ? name + "?" : name;
    }

    private static string Simple(Type type) => type.Name[..type.Name.IndexOf('`')];
}
