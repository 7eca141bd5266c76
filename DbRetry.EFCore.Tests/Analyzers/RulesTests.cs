using System.Reflection;
using DbRetry.EFCore.Analyzers;
using DbRetry.EFCore.CodeFixes;
using DbRetry.EFCore.Tests.Support;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.Diagnostics;

namespace DbRetry.EFCore.Tests.Analyzers;

/// <summary>What holds for every rule.</summary>
[TestClass]
public class RulesTests
{
    private static readonly IReadOnlyList<DiagnosticDescriptor> All =
    [
        .. typeof(Rules).GetFields(BindingFlags.Static | BindingFlags.NonPublic).Where(field => field.FieldType == typeof(DiagnosticDescriptor))
            .Select(field => (DiagnosticDescriptor)field.GetValue(null)!)
            .OrderBy(rule => rule.Id, StringComparer.Ordinal),
    ];

    [TestMethod]
    public void Each_is_reported_by_one_analyzer()
    {
        var reported = Instances<DiagnosticAnalyzer>(typeof(Rules).Assembly).SelectMany(analyzer => analyzer.SupportedDiagnostics).Select(rule => rule.Id);

        CollectionAssert.AreEquivalent(All.Select(rule => rule.Id).ToList(), reported.ToList());
    }

    [TestMethod]
    public void Each_has_a_section_in_the_documentation_with_its_title_and_severity()
    {
        var text = File.ReadAllText(SourceTree.Require("docs/analyzers.md"));

        foreach (var rule in All)
        {
            Assert.Contains($"## {rule.Id}: {rule.Title}\n", text);
            Assert.Contains($"| [{rule.Id}](#", text);
        }
    }

    [TestMethod]
    public void Each_explains_itself()
    {
        foreach (var rule in All)
        {
            Assert.IsTrue(rule.IsEnabledByDefault);
            Assert.IsGreaterThan(80, rule.Description.ToString().Length, rule.Id);
        }
    }

    [TestMethod]
    public void Fixes_are_for_rules_that_there_are()
    {
        var known = All.Select(rule => rule.Id).ToList();
        foreach (var fix in Instances<CodeFixProvider>(typeof(RunInUnitFix).Assembly))
        {
            Assert.IsEmpty(fix.FixableDiagnosticIds.Except(known));
        }
    }

    private static IEnumerable<T> Instances<T>(Assembly assembly)
        => assembly.GetTypes().Where(type => !type.IsAbstract && type.IsAssignableTo(typeof(T))).Select(type => (T)Activator.CreateInstance(type)!);
}
