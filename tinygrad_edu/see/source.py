"""Where a tensor was made: the exact expression in the learner's source, and the name that the learner gave the result.

A tensor remembers the instruction that made it, and Python (3.11 and later) knows the first and last character of the
expression from which it compiled each instruction. The text itself Python knows of files, notebook cells and doctests (`lines_of`); before
3.13 not of its own prompt: there it is looked for among the lines that were typed.
"""

from __future__ import annotations

import ast
import functools
import itertools
import sys
import warnings
from collections.abc import Iterator, Sequence
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple

from ..autograd.function import is_function
from ..callsite import OWN_FILES, lines_of
from ..nn.module import Module
from ..tensor import Tensor


class Place(NamedTuple):
    """A piece of source: lines count from 1, columns from 0, in characters, and the last column is not included."""

    filename: str
    line: int
    column: int
    end_line: int
    end_column: int


class Source:
    """The text of one file, cell or prompt, parsed once."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.expressions: dict[tuple[int, int, int, int], ast.expr | ast.AugAssign] = {}  # by position, as instructions give it
        self.calls: dict[tuple[int, int], ast.Call] = {}  # by their end
        self.targets: dict[tuple[int, int, int, int], str] = {}  # the variable to which the value at a position is assigned
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse("".join(lines))
        except SyntaxError:  # a notebook's magic, say: the text can be shown, but not understood
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.expr | ast.AugAssign):
                self.expressions[_position(node)] = node
            if isinstance(node, ast.Call):
                self.calls[node.end_lineno or 0, node.end_col_offset or 0] = node
            for target, value in _assignments(node):
                if isinstance(target, ast.Name):
                    self.targets[_position(value)] = target.id
                elif isinstance(target, ast.Attribute):
                    self.targets[_position(value)] = target.attr

    def text(self, line: int) -> str:
        return self.lines[line - 1].rstrip("\n") if 0 < line <= len(self.lines) else ""


def _position(node: Any) -> tuple[int, int, int, int]:
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def _assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.AST]]:
    """(target, value) of a node that assigns; `a, b = f(x), g(x)` has two."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                yield from zip(target.elts, node.value.elts, strict=False)
            else:
                yield target, node.value
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.AugAssign):
        yield node.target, node  # x += y is compiled as one expression that spans the statement


@functools.lru_cache(256)
def _parsed(lines: tuple[str, ...]) -> Source:
    return Source(lines)


def source_of(code: CodeType) -> Source:
    """The source in which a code object stands; empty if nobody knows it."""
    lines = tuple(lines_of(code))
    if not lines and code.co_filename == "<stdin>":
        lines = _typed(code)
    elif not lines and code.co_filename == "<string>":
        lines = _command(code)
    while lines and not lines[-1].strip():  # the empty line that ends a block at the prompt
        lines = lines[:-1]
    return _parsed(lines)


@functools.lru_cache(1024)
def _command(code: CodeType) -> tuple[str, ...]:
    """The lines of `python -c "..."`, if the code comes from there."""
    options = itertools.pairwise(sys.orig_argv[1:])
    text = next((after for option, after in options if option[0] == "-" and option[1] != "-" and option[-1] == "c"), "")
    return tuple(text.splitlines(keepends=True)) if _holds(_compiled(text, code.co_filename, "exec"), code) else ()


def _compiled(text: str, filename: str, mode: str) -> CodeType | None:
    """None for what is no Python; the first line of several, perhaps."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(text, filename, mode, dont_inherit=True)
    except (SyntaxError, ValueError):
        return None


@functools.lru_cache(1024)
def _typed(code: CodeType) -> tuple[str, ...]:
    """The lines typed at Python's prompt that compile to this code: searched among the last 500, from the newest."""
    try:
        import readline
    except ImportError:  # Windows
        return ()
    count = readline.get_current_history_length()
    typed = [readline.get_history_item(i) or "" for i in range(max(1, count - 500), count + 1)]
    for start in range(len(typed) - 1, -1, -1):
        for end in range(start + 1, min(len(typed), start + 30) + 1):
            text = "\n".join(typed[start:end]) + "\n"
            found = _compiled(text, "<stdin>", "single")
            if _holds(found, code):
                return tuple(text.splitlines(keepends=True))
            if found is not None and not typed[start].rstrip().endswith((":", "(", "[", "{", ",", "\\")):
                break
    return ()


def _holds(outer: CodeType | None, code: CodeType) -> bool:
    """Whether a code object is another one or inside it."""
    if outer is None:
        return False
    return outer == code or any(isinstance(c, CodeType) and _holds(c, code) for c in outer.co_consts)


def _position_of(made_at: Any) -> tuple[int, int, int, int] | None:
    """The position of the expression that an instruction belongs to, in Python's own count: columns in UTF-8 bytes."""
    if made_at is None or made_at[0].co_filename in OWN_FILES:
        return None
    code, instruction = made_at
    positions = next(itertools.islice(code.co_positions(), instruction // 2, None), None)
    if positions is None or positions[0] is None:
        return None
    line, end_line, column, end_column = positions
    source = source_of(code)
    if column is None or end_line is None or end_column is None:  # Python was told to forget columns: the whole line
        text = source.text(line).encode()
        return line, len(text) - len(text.lstrip()), line, len(text)
    found = line, column, end_line, end_column
    call = source.calls.get((end_line, end_column))  # a method called on a line of its own begins, for Python, at its name
    return _position(call) if call is not None and found not in source.expressions else found


def place_of(made_at: Any) -> Place | None:
    """The expression whose instruction this is; None where it is not known, or is none of the learner's."""
    position = _position_of(made_at)
    if position is None:
        return None
    line, column, end_line, end_column = position
    source = source_of(made_at[0])
    if not source.lines:  # typed into a shell that keeps nothing, or made by a program that is not there any more
        return None
    begin, end = _characters(source.text(line), column), _characters(source.text(end_line), end_column)
    return Place(made_at[0].co_filename, line, begin, end_line, end)


def _characters(text: str, offset: int) -> int:
    """Python counts columns in UTF-8 bytes."""
    return offset if text.isascii() else len(text.encode()[:offset].decode(errors="ignore"))


def expression_at(made_at: Any) -> str:
    """The text of the expression, on one line: `tanh(w * x + b)`; the empty string where it is not known."""
    place = place_of(made_at)
    if place is None:
        return ""
    source = source_of(made_at[0])
    if place.line == place.end_line:
        return source.text(place.line)[place.column : place.end_column]
    between = [source.text(line) for line in range(place.line + 1, place.end_line)]
    whole = [source.text(place.line)[place.column :], *between, source.text(place.end_line)[: place.end_column]]
    return " ".join(part.strip() for part in whole)


def target_at(made_at: Any) -> str | None:
    """The variable to which the expression is assigned: `h` for `h = tanh(w * x)`."""
    position = _position_of(made_at)
    return None if position is None else source_of(made_at[0]).targets.get(position)


def operand_names(node: Tensor) -> list[str | None]:
    """What the learner's expression calls each input of an operation: `w * x` gives w and x; None where that is not plain."""
    operands = _operands(node) or []
    names = [x.id if isinstance(x, ast.Name) else x.attr if isinstance(x, ast.Attribute) else None for x in operands]
    return [*names, *([None] * len(node.inputs))][: len(node.inputs)]


def is_one_operation(node: Tensor) -> bool:
    """Whether the learner's expression is this operation alone, as `w * x` and `tanh(x)` are: each that it records is then a result."""
    return _operands(node) is not None


def _operands(node: Tensor) -> list[ast.expr] | None:
    """The inputs of an operation as the learner's expression has them; None where that calls something else, a model for instance."""
    position = _position_of(node.made_at)
    if node.op is None or position is None:
        return None
    expression = source_of(node.made_at[0]).expressions.get(position)
    if isinstance(expression, ast.BinOp):
        return [expression.left, expression.right]
    if isinstance(expression, ast.AugAssign):
        return [expression.target, expression.value]
    if isinstance(expression, ast.UnaryOp):
        return [expression.operand]
    if not isinstance(expression, ast.Call) or any(isinstance(x, ast.Starred) for x in expression.args):
        return None
    function = expression.func
    called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if called == "apply" and is_function(node.op):
        return [expression.args[place] for place in node.op.joint.__self__.places if place < len(expression.args)]
    if called != node.op.name:
        return None  # a function made of several operations: their inputs are not its arguments
    given = len(expression.args) + sum(keyword.arg in node.op.inputs for keyword in expression.keywords)
    if isinstance(function, ast.Attribute) and given < node.op.required:  # a method
        return [function.value, *expression.args]
    return list(expression.args)


# -- names of variables ----------------------------------------------------------------------------------------------
def learners_frame() -> FrameType | None:
    """The frame that called into this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename in OWN_FILES:
        frame = frame.f_back
    return frame


def known(frame: FrameType | None) -> Iterator[tuple[str, Any]]:
    """A frame's variables and their values: locals first, then globals, then the tensors and modules that lists, dicts and objects
    in them hold (`ws[0]`, `W1` for params["W1"], `w` for model.w)."""
    if frame is None:
        return
    direct = [
        (name, value)
        for space in (frame.f_locals, frame.f_globals)
        for name, value in list(space.items())
        if name.isidentifier() and not name.startswith("_") and not isinstance(value, ModuleType | FunctionType | type)
    ]
    yield from direct
    for name, value in direct:
        yield from ((inner, part) for inner, part in _parts(name, value) if isinstance(part, Tensor | Module))


def variables(frame: FrameType | None) -> dict[int, str]:
    """What a frame calls each object, by the object's id; the first name counts."""
    names: dict[int, str] = {}
    found = list(known(frame))
    for name, value in found:
        names.setdefault(id(value), name)
    for name, value in found:
        if isinstance(value, Module):
            for path, inner in value.named_modules():
                names.setdefault(id(inner), f"{name}.{path}")
    return names


def _parts(name: str, value: Any) -> list[tuple[str, Any]]:
    """The first parts of a list, a dict or a plain object of the learner's own."""
    if isinstance(value, list | tuple):
        return [(f"{name}[{i}]", part) for i, part in enumerate(value[:64])]
    if isinstance(value, dict):
        return [(key, part) for key, part in itertools.islice(value.items(), 64) if isinstance(key, str)]
    held = getattr(value, "__dict__", None)
    if isinstance(held, dict) and not isinstance(value, Tensor | Module):  # a module's tensors are called by their path in it
        return [(key, part) for key, part in itertools.islice(held.items(), 64)]
    return []
