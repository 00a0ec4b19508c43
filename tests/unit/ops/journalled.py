"""Which events the code writes into the journal, read from the code itself.

An entry is made by `chain.add(now, event, …)` or by `ledger.note(event, …)`.  The event is followed
back to the words it can be: constants, choices, states of deliveries, parameters of functions that
pass it on.  What cannot be followed is an error, so that no event escapes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from schemas.delivery import DeliveryState

ROOT = Path(__file__).resolve().parents[3]
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Untraced(AssertionError):
    """An entry of the journal whose event cannot be told from the code."""


@dataclass(frozen=True)
class Module:
    path: Path
    tree: ast.Module
    above: dict[ast.AST, ast.AST] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Module:
        module = cls(path, ast.parse(path.read_text(encoding="utf-8")))
        for node in ast.walk(module.tree):
            module.above.update(dict.fromkeys(ast.iter_child_nodes(node), node))
        return module

    def functions_around(self, node: ast.AST) -> Iterator[Function]:
        while (node := self.above.get(node, self.tree)) is not self.tree:
            if isinstance(node, Function):
                yield node

    @cached_property
    def calls(self) -> list[ast.Call]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]


def events() -> dict[str, set[str]]:
    """Of each event the files that write it. Raises Untraced."""
    found: dict[str, set[str]] = {}
    for folder in ("bus", "adapters"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for event in of_module(Module.read(path)):
                found.setdefault(event, set()).add(str(path.relative_to(ROOT)))
    return found


def of_module(module: Module) -> Iterator[str]:
    """Raises Untraced."""
    for value in _written(module):
        yield from _words(module, value)


def _written(module: Module) -> Iterator[ast.expr]:
    """The expression of the event in each call that makes an entry."""
    for call in module.calls:
        made = call.func
        if not isinstance(made, ast.Attribute):
            continue
        owner = ast.unparse(made.value)
        if made.attr == "add" and owner.split(".")[-1] == "chain":
            yield _argument(call, 1, "event")
        elif made.attr == "note" and owner.split(".")[-1] in {"ledger", "_ledger"}:
            yield _argument(call, 0, "event")


def _argument(call: ast.Call, place: int, name: str) -> ast.expr:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    return call.args[place]


def _words(module: Module, value: ast.expr) -> set[str]:
    match value:
        case ast.Constant(value=str(word)):
            return {word}
        case ast.IfExp(body=one, orelse=other):
            return _words(module, one) | _words(module, other)
        case ast.Dict(values=values):
            return {word for each in values for word in _words(module, each)}
        case ast.Subscript(value=ast.Name() as table):
            return _words(module, table)
        case ast.Attribute(value=ast.Name(id="state") | ast.Attribute(attr="state"), attr="value"):
            return {state.value for state in DeliveryState}
        case ast.Name(id=name):
            return _named(module, value, name)
    where = f"{module.path.relative_to(ROOT)}:{value.lineno}"
    raise Untraced(f"{where}: which event is {ast.unparse(value)}?")


def _named(module: Module, value: ast.expr, name: str) -> set[str]:
    """A local name, a parameter, a constant of this module or of another one."""
    for function in module.functions_around(value):
        if local := list(_assigned(function, name)):
            return {word for each in local for word in _words(module, each)}
        parameters = [each.arg for each in function.args.args + function.args.kwonlyargs]
        if name in parameters:
            return _passed(module, function, name)
    for assigned in _assigned(module.tree, name):
        return _words(module, assigned)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    path = ROOT / f"{(node.module or '').replace('.', '/')}.py"
                    other = Module.read(path)
                    for assigned in _assigned(other.tree, alias.name):
                        return _words(other, assigned)
    where = f"{module.path.relative_to(ROOT)}:{value.lineno}"
    raise Untraced(f"{where}: where does {name} come from?")


def _assigned(scope: ast.Module | Function, name: str) -> Iterator[ast.expr]:
    for node in ast.walk(scope):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id == name:
                yield node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for each, its in zip(target.elts, node.value.elts, strict=True):
                    if isinstance(each, ast.Name) and each.id == name:
                        yield its


def _passed(module: Module, function: Function, name: str) -> set[str]:
    """What callers in the same module hand over; `Ledger.note` hands on what others wrote."""
    if (module.path.name, function.name) == ("ledger.py", "note"):
        return set()
    method = bool(function.args.args) and function.args.args[0].arg == "self"
    order = [each.arg for each in function.args.args][method:]
    place = order.index(name) if name in order else len(order)
    found: set[str] = set()
    for call in module.calls:
        called = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
        if called == function.name:
            found |= _words(module, _argument(call, place, name))
    if not found:
        raise Untraced(f"{module.path.relative_to(ROOT)}: nobody there calls {function.name}")
    return found
