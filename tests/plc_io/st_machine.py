"""Runs Structured Text: blark's tree to Python, with the types of IEC 61131-3 enforced and nothing converted silently.

It takes the subset that okng.st keeps to and refuses the rest by name.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import blark.transform as tree
from blark.parse import parse_source_code

from .st_types import (
    BITS,
    HEX,
    LITERAL,
    NUMBERS,
    RANGES,
    STANDARD,
    Array,
    Clock,
    StError,
    Struct,
    Type,
    both,
    copied,
    fits,
    inside,
    shown,
)

_CONVERSIONS = {
    "word_to_uint": ("WORD", "UINT"),
    "uint_to_word": ("UINT", "WORD"),
    "word_to_dword": ("WORD", "DWORD"),
    "dword_to_word": ("DWORD", "WORD"),
    "dword_to_udint": ("DWORD", "UDINT"),
    "udint_to_dword": ("UDINT", "DWORD"),
    "int_to_uint": ("INT", "UINT"),
}
_LOGIC = {"AND": "&", "OR": "|", "XOR": "^"}
_COMPARE = {"=": "==", "<>": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
_SUMS = {"+": "+", "-": "-", "*": "*", "/": "//", "MOD": "%"}
PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "protocol" / "okng.st"
Code = tuple[str, Type]


class Instance(SimpleNamespace):
    """A function block with its memory. Call it with its inputs by name; read its members with []."""

    def __call__(self, **inputs: Any) -> None:
        """One scan."""
        for name, value in inputs.items():
            key = name.lower().removeprefix("v_")
            if key not in self.kind.inputs:
                raise StError(f"{self.kind.name} has no input {name}")
            setattr(self, f"v_{key}", copied(value))
        self.machine.bodies[self.kind.name.lower()](self)

    def __repr__(self) -> str:
        return f"<{self.kind.name}>"

    def __getitem__(self, name: str) -> Any:
        """A member, or a member of a member: `box.status.READY`."""
        value: Any = self
        for part in name.lower().split("."):
            value = getattr(value, f"v_{part}")
        return value


class Machine:
    """One program text, ready to run."""

    def __init__(self, text: str) -> None:
        parsed = parse_source_code(text)
        if parsed.exception is not None:
            raise StError(str(parsed.exception))
        self.clock = Clock()
        self.kinds: dict[str, Type] = {name.lower(): name for name in RANGES}
        self.kinds |= {name: kind for name, (_, kind) in STANDARD.items()}
        self.constants: dict[str, tuple[Type, int]] = {}
        self.bodies: dict[str, Callable[[Any], None]] = {}
        units = parsed.transform().items
        for unit in units:
            self._declare(unit)
        for unit in units:
            if isinstance(unit, tree.Function | tree.FunctionBlock | tree.Program):
                self._translate(unit)

    def make(self, name: str) -> Instance:
        """A new instance of a block."""
        made = self._new(self._kind(name))
        if not isinstance(made, Instance):
            raise StError(f"{name} is no block")
        return made

    def function(self, name: str, **inputs: Any) -> Any:
        """Call a function."""
        frame = self._new(self._kind(name))
        for key, value in inputs.items():
            setattr(frame, f"v_{key}", copied(value))
        self.bodies[name.lower()](frame)
        return getattr(frame, f"v_{name.lower()}")

    # -- declarations ----------------------------------------------------------------------------------------------

    def _kind(self, name: Any) -> Type:
        try:
            return self.kinds[str(name).lower()]
        except KeyError:
            raise StError(f"{name}: no such type") from None

    def _spec(self, init: Any) -> tuple[Type, int]:
        if isinstance(init, tree.ArrayTypeInitialization):
            (span,) = init.spec.subranges
            return Array(int(span.start.value), int(span.stop.value), self._kind(init.spec.type.type_name)), 0
        kind = self._kind(init.spec.type)
        if init.value is None:
            return kind, 0
        code, found = _Body(self, Struct("constant")).expression(init.value)
        if not fits(kind, found):
            raise StError(f"initial value of {shown(kind)} is {shown(found)}")
        return kind, inside(str(kind), int(code))

    def _declare(self, unit: Any) -> None:
        if isinstance(unit, tree.GlobalVariableDeclarations):
            for item in unit.items:
                self.constants[str(item.spec.variables[0]).lower()] = self._spec(item.init)
        elif isinstance(unit, tree.DataTypeDeclaration):
            declared = unit.declaration
            if isinstance(declared, tree.ArrayTypeDeclaration):
                self.kinds[str(declared.name).lower()] = self._spec(declared.init)[0]
            else:
                struct = Struct(str(declared.name))
                self._members(struct, declared.declarations)
                self.kinds[struct.name.lower()] = struct
        else:
            is_block = not isinstance(unit, tree.Function)
            kind = Struct(str(unit.name), body=unit.body, is_block=is_block)
            if not is_block:
                kind.result = self._kind(unit.return_type.type.type)
                kind.members[kind.name.lower()] = kind.result
            self.kinds[kind.name.lower()] = kind
            for block in unit.declarations:
                if isinstance(block, tree.ExternalVariableDeclarations):
                    self._externals(block)
                    continue
                names = self._members(kind, block.items)
                if isinstance(block, tree.InputDeclarations):
                    kind.inputs += names

    def _externals(self, block: Any) -> None:
        for item in block.items:
            for name in item.variables if hasattr(item, "variables") else [item.name]:
                text = str(getattr(getattr(name, "variable", name), "name", name))
                if text.lower() not in self.constants:
                    raise StError(f"{text}: no such global")

    def _members(self, owner: Struct, items: Any) -> list[str]:
        names = []
        for item in items:
            kind, start = self._spec(item.init)
            for variable in item.variables:
                name = str(variable.variable.name).lower()
                if name in owner.members:
                    raise StError(f"{owner.name}.{name} is declared twice")
                owner.members[name] = kind
                if start:
                    owner.starts[name] = start
                names.append(name)
        return names

    def _new(self, kind: Type) -> Any:
        if isinstance(kind, str):
            return False if kind == "BOOL" else 0
        if isinstance(kind, Array):
            return [self._new(kind.element) for _ in range(kind.low, kind.high + 1)]
        if kind.name.lower() in STANDARD:
            return STANDARD[kind.name.lower()][0](self.clock)
        made: Any = Instance(kind=kind, machine=self) if kind.is_block else SimpleNamespace()
        for name, member in kind.members.items():
            setattr(made, f"v_{name}", kind.starts.get(name, self._new(member)))
        return made

    def _translate(self, unit: Any) -> None:
        kind = self._kind(unit.name)
        assert isinstance(kind, Struct)
        lines = ["def body(s):", *_Body(self, kind).statements(kind.body.statements, 1)]
        scope: dict[str, Any] = {"copied": copied, "inside": inside, "call": self.function}
        exec(compile("\n".join(lines), kind.name, "exec"), scope)
        self.bodies[kind.name.lower()] = scope["body"]


@cache
def published() -> Machine:
    """The published file, ready to run. blark takes some seconds to parse it."""
    return Machine(PUBLISHED.read_text(encoding="ascii"))


class _Body:
    """Translates the statements of one unit."""

    def __init__(self, machine: Machine, unit: Struct) -> None:
        self.machine, self.unit = machine, unit

    def statements(self, items: Any, depth: int) -> list[str]:
        """Lines of Python."""
        lines = [line for item in items for line in self._statement(item, depth)]
        return lines or ["    " * depth + "pass"]

    def _statement(self, item: Any, depth: int) -> list[str]:
        pad = "    " * depth
        if isinstance(item, tree.AssignmentStatement):
            (target,) = item.variables
            return [pad + self._assign(self._reference(target), self.expression(item.expression), str(item))]
        if isinstance(item, tree.FunctionCallStatement):
            name, kind = self._reference(item.name)
            if not isinstance(kind, Struct) or not kind.is_block:
                raise StError(f"{item}: no block")
            return [f"{pad}{name}({self._inputs(item, kind)})"]
        if isinstance(item, tree.IfStatement):
            lines = [f"{pad}if {self._truth(item.if_expression)}:", *self._inner(item, depth)]
            for clause in item.else_ifs:
                lines += [f"{pad}elif {self._truth(clause.if_expression)}:", *self._inner(clause, depth)]
            return lines + self._otherwise(item, depth)
        if isinstance(item, tree.CaseStatement):
            return self._case(item, depth)
        if isinstance(item, tree.ForStatement):
            control = self._reference(item.control)
            (first, low), (last, high) = self.expression(item.from_), self.expression(item.to)
            if item.step is not None or not fits(control[1], low) or not fits(control[1], high):
                raise StError(f"{item}: unknown form of FOR")
            head = f"{pad}for {control[0]} in range({first}, {last} + 1):"
            return [head, *self._inner(item, depth)]
        raise StError(f"{type(item).__name__}: not in the subset")

    def _inner(self, item: Any, depth: int) -> list[str]:
        return self.statements(item.statements.statements, depth + 1)

    def _otherwise(self, item: Any, depth: int) -> list[str]:
        clause = item.else_clause
        return [] if clause is None else ["    " * depth + "else:", *self._inner(clause, depth)]

    def _case(self, item: Any, depth: int) -> list[str]:
        lines, word = [], "if"
        value, kind = self.expression(item.expression)
        for case in item.cases:
            tests = []
            for match in case.matches:
                code, found = self.expression(match)
                both(kind, found, str(match))
                tests.append(f"{value} == {code}")
            lines += [f"{'    ' * depth}{word} {' or '.join(tests)}:", *self._inner(case, depth)]
            word = "elif"
        return lines + self._otherwise(item, depth)

    @staticmethod
    def _assign(target: Code, value: Code, where: str) -> str:
        (name, kind), (code, found) = target, value
        if not fits(kind, found):
            raise StError(f"{where}: {shown(kind)} is given {shown(found)}")
        if isinstance(kind, str):
            return f"{name} = {code}" if kind == "BOOL" else f"{name} = inside({kind!r}, {code})"
        return f"{name} = copied({code})"

    def _truth(self, item: Any) -> str:
        code, kind = self.expression(item)
        if kind != "BOOL":
            raise StError(f"{item}: a condition is BOOL, not {shown(kind)}")
        return code

    def _inputs(self, item: Any, kind: Struct) -> str:
        given = []
        for parameter in item.parameters:
            name = str(parameter.name.name).lower()
            code, found = self.expression(parameter.value)
            if name not in kind.inputs or not fits(kind.members[name], found):
                raise StError(f"{item}: {name} of {kind.name} is given {shown(found)}")
            given.append(f"v_{name}={code}" if kind.is_block else f"{name}={code}")
        return ", ".join(given)

    # -- expressions -----------------------------------------------------------------------------------------------

    def expression(self, item: Any) -> Code:
        """Python code of an expression, and its type."""
        match item:
            case tree.Boolean():
                return str(str(item.value).upper() == "TRUE"), "BOOL"
            case tree.HexInteger() | tree.HexBitString():
                return str(int(str(item.value), 16)), str(item.type_name or HEX).upper() if item.type_name else HEX
            case tree.Integer():
                return str(int(str(item.value))), str(item.type_name).upper() if item.type_name else LITERAL
            case tree.Duration():
                return str(int(item.seconds or 0) * 1000 + int(item.milliseconds or 0)), "TIME"
            case tree.ParenthesizedExpression():
                code, kind = self.expression(item.expr)
                return f"({code})", kind
            case tree.UnaryOperation():
                code, kind = self.expression(item.expr)
                if str(item.op).upper() == "NOT" and kind == "BOOL":
                    return f"(not {code})", kind
                if str(item.op) == "-" and (kind == LITERAL or kind == "INT"):
                    return f"(-{code})", kind
                raise StError(f"{item}: {item.op} of {shown(kind)}")
            case tree.BinaryOperation():
                return self._binary(item)
            case tree.FunctionCall():
                return self._call(item)
            case tree.SimpleVariable() | tree.MultiElementVariable():
                return self._reference(item)
        raise StError(f"{type(item).__name__}: not in the subset")

    def _binary(self, item: Any) -> Code:
        (left, first), (right, second) = self.expression(item.left), self.expression(item.right)
        sign, kind = str(item.op).upper(), both(first, second, str(item))
        if sign in _LOGIC and kind in BITS:
            return f"({left} {_LOGIC[sign]} {right})", kind
        if sign in _COMPARE and (kind in NUMBERS or kind in BITS or kind == LITERAL):
            return f"({left} {_COMPARE[sign]} {right})", "BOOL"
        if sign in _SUMS and kind in NUMBERS:
            return f"inside({kind!r}, {left} {_SUMS[sign]} {right})", kind
        raise StError(f"{item}: {sign} of {shown(kind)}")

    def _call(self, item: Any) -> Code:
        name = str(item.name.name).lower()
        if name in _CONVERSIONS or name in ("shl", "shr"):
            codes = [self.expression(parameter.value) for parameter in item.parameters]
            (code, found), *rest = codes
            if name in _CONVERSIONS:
                source, target = _CONVERSIONS[name]
                if found != source or rest:
                    raise StError(f"{item}: {name} of {shown(found)}")
                return f"inside({target!r}, {code})", target
            ((count, by),) = rest
            if found not in BITS[1:] or by not in (LITERAL, "UINT", "INT"):
                raise StError(f"{item}: {name} of {shown(found)} by {shown(by)}")
            if name == "shr":
                return f"({code} >> {count})", found
            return f"({code} << {count} & {RANGES[str(found)][1]})", found
        kind = self.machine._kind(name)
        if not isinstance(kind, Struct) or kind.result is None:
            raise StError(f"{item}: no function")
        return f"call({name!r}, {self._inputs(item, kind)})", kind.result

    def _reference(self, item: Any) -> Code:
        if isinstance(item, tree.SimpleVariable):
            name = str(item.name).lower()
            if name in self.unit.members:
                return f"s.v_{name}", self.unit.members[name]
            if name in self.machine.constants:
                kind, value = self.machine.constants[name]
                return str(value), kind
            raise StError(f"{item}: {self.unit.name} has no such variable")
        code, kind = self._reference(item.name)
        for element in item.elements:
            if isinstance(element, tree.FieldSelector) and isinstance(kind, Struct):
                name = str(element.field.name).lower()
                if name not in kind.members:
                    raise StError(f"{item}: {kind.name} has no {name}")
                code, kind = f"{code}.v_{name}", kind.members[name]
            elif isinstance(element, tree.SubscriptList) and isinstance(kind, Array):
                index, _ = self.expression(element.subscripts[0])
                code, kind = f"{code}[{index} - {kind.low}]" if kind.low else f"{code}[{index}]", kind.element
            else:
                raise StError(f"{item}: {shown(kind)} has no {element}")
        return code, kind
