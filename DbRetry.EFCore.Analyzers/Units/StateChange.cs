using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace DbRetry.EFCore.Analyzers.Units;

/// <summary>An operation that changes something to a value that depends on what it was, so that doing it twice is not the same as doing it once.</summary>
internal sealed class StateChange
{
    // Sets are not here: adding to them twice is adding once.
    private static readonly string[] AppendingTypes =
    [
        "System.Collections.ArrayList",
        "System.Collections.Queue",
        "System.Collections.Stack",
        "System.Collections.IEnumerator",
        "System.Collections.Generic.List",
        "System.Collections.Generic.IList",
        "System.Collections.Generic.ICollection",
        "System.Collections.Generic.Dictionary",
        "System.Collections.Generic.IDictionary",
        "System.Collections.Generic.SortedDictionary",
        "System.Collections.Generic.SortedList",
        "System.Collections.Generic.OrderedDictionary",
        "System.Collections.Generic.LinkedList",
        "System.Collections.Generic.Queue",
        "System.Collections.Generic.Stack",
        "System.Collections.Generic.PriorityQueue",
        "System.Collections.Generic.IAsyncEnumerator",
        "System.Collections.Generic.IEnumerator",
        "System.Collections.ObjectModel.Collection",
        "System.Collections.ObjectModel.ObservableCollection",
        "System.Collections.Concurrent.BlockingCollection",
        "System.Collections.Concurrent.ConcurrentBag",
        "System.Collections.Concurrent.ConcurrentQueue",
        "System.Collections.Concurrent.ConcurrentStack",
        "System.Text.StringBuilder",
    ];

    private static readonly string[] ChangingMethods =
    [
        "Add", "AddRange", "AddFirst", "AddLast", "Append", "AppendLine", "AppendFormat", "AppendJoin", "Insert", "InsertRange", "Enqueue", "EnqueueRange",
        "Push", "PushRange", "Dequeue", "TryDequeue", "Pop", "TryPop", "Take", "TryTake", "RemoveAt", "MoveNext", "MoveNextAsync",
    ];

    private static readonly string[] InterlockedMethods = ["Increment", "Decrement", "Add"];

    private StateChange(IOperation target, Location location)
    {
        Target = target;
        Location = location;
    }

    internal IOperation Target { get; }

    internal Location Location { get; }

    internal static StateChange? Of(IOperation operation)
        => operation switch
        {
            IIncrementOrDecrementOperation step => new(step.Target, step.Syntax.GetLocation()),
            ICompoundAssignmentOperation { OperatorKind: not (BinaryOperatorKind.Or or BinaryOperatorKind.And) } assignment
                => new(assignment.Target, assignment.Syntax.GetLocation()),
            ISimpleAssignmentOperation assignment when BuildsOnItself(assignment) => new(assignment.Target, assignment.Syntax.GetLocation()),
            IInvocationOperation { Instance: { } receiver } call when ChangesCollection(call, receiver) => new(receiver, call.NameLocation()),
            IInvocationOperation { TargetMethod.ContainingType.Name: "Interlocked" } call when InterlockedMethods.Contains(call.TargetMethod.Name)
                => new(call.Arguments[0].Value, call.NameLocation()),
            _ => null,
        };

    private static bool BuildsOnItself(ISimpleAssignmentOperation assignment)
        => UnitBody.Named(assignment.Target) is { } target
            && assignment.Value.WithoutConversions() is IBinaryOperation
            {
                OperatorKind: BinaryOperatorKind.Add or BinaryOperatorKind.Subtract or BinaryOperatorKind.Multiply,
            } sum
            && new[] { sum.LeftOperand, sum.RightOperand }.Any(operand => SymbolEqualityComparer.Default.Equals(UnitBody.Named(operand), target));

    private static bool ChangesCollection(IInvocationOperation call, IOperation receiver)
        => ChangingMethods.Contains(call.TargetMethod.Name)
            && receiver.Type is INamedTypeSymbol type
            && AppendingTypes.Contains(type.FullName());
}
