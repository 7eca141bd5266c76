using System.Reflection;
using System.Runtime.CompilerServices;
using DbRetry.EFCore.Testing;

namespace DbRetry.EFCore.Tests;

/// <summary>What the library promises about its own shape.</summary>
[TestClass]
public class ConventionsTests
{
    private static readonly Assembly Library = typeof(DbRetryOptions).Assembly;

    private static readonly Assembly FaultKit = typeof(DbRetryFaults).Assembly;

    private static readonly string[] Namespaces =
        ["DbRetry.EFCore", "DbRetry.EFCore.Testing", "Microsoft.EntityFrameworkCore", "Microsoft.Extensions.DependencyInjection"];

    private static readonly string[] Dependencies =
        ["Microsoft.EntityFrameworkCore", "Microsoft.EntityFrameworkCore.Abstractions", "Microsoft.EntityFrameworkCore.Relational", "Npgsql", "Npgsql.EntityFrameworkCore.PostgreSQL"];

    [TestMethod]
    public void Public_types_are_in_the_documented_namespaces()
        => AssertNone(Library.GetExportedTypes().Concat(FaultKit.GetExportedTypes()).Where(type => !Namespaces.Contains(type.Namespace)));

    [TestMethod]
    public void Folders_are_namespaces_of_internal_types_only()
        => AssertNone(Library.GetTypes().Where(type => type is { IsPublic: true, Namespace: not null }
            && type.Namespace.StartsWith("DbRetry.EFCore.", StringComparison.Ordinal)));

    [TestMethod]
    public void Nobody_can_derive_from_a_class_that_was_not_made_for_it()
        => AssertNone(Library.GetTypes().Concat(FaultKit.GetTypes())
            .Where(type => type is { IsClass: true, IsSealed: false, IsAbstract: false } && !IsGenerated(type)));

    [TestMethod]
    public void Seams_are_in_one_folder()
        => AssertNone(Library.GetTypes().Where(type => type.Namespace != "DbRetry.EFCore.Seams"
            && type.GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
                .Any(method => method.IsDefined(typeof(UnsafeAccessorAttribute)))));

    [TestMethod]
    public void It_depends_on_EF_Npgsql_and_what_comes_with_them()
    {
        var others = Library.GetReferencedAssemblies()
            .Select(assembly => assembly.Name!)
            .Where(name => !Dependencies.Contains(name)
                && !name.StartsWith("System.", StringComparison.Ordinal)
                && !name.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal))
            .ToList();
        Assert.IsEmpty(others, string.Join(", ", others));
    }

    [TestMethod]
    public void Production_code_knows_nothing_of_the_fault_kit()
        => Assert.DoesNotContain(FaultKit.GetName().Name, Library.GetReferencedAssemblies().Select(assembly => assembly.Name));

    [TestMethod]
    public void Every_exception_that_callers_may_catch_says_what_it_is()
    {
        foreach (var exception in Library.GetExportedTypes().Where(type => type.IsSubclassOf(typeof(Exception))))
        {
            Assert.IsTrue(exception.Name.EndsWith("Exception", StringComparison.Ordinal) && exception.IsSealed, exception.Name);
        }
    }

    private static bool IsGenerated(Type? type)
        => type is not null && (type.IsDefined(typeof(CompilerGeneratedAttribute)) || type.Name.Contains('<') || IsGenerated(type.DeclaringType));

    private static void AssertNone(IEnumerable<Type> types)
    {
        var names = types.Select(type => type.FullName).ToList();
        Assert.IsEmpty(names, string.Join(", ", names));
    }
}
