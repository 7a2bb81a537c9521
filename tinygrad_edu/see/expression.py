"""Expressions that the command line computes: `tanh(w*x + b)`, with values for the variables.

Python parses the text but does not run it: this module walks the tree and knows only what is listed in it. Numbers, lists of
numbers, variables, operators, slices, the operations of this package and the methods of the same names: nothing else can be
reached.
"""

from __future__ import annotations

import ast
import difflib
import functools
import importlib
import linecache
import math
import operator
from collections.abc import Callable, Mapping
from types import CodeType, EllipsisType
from typing import Any

from .. import ops
from ..clock import tick
from ..ops.creation import tensor
from ..tensor import Tensor
from .source import target_at

MAKERS = {"creation": ["arange", "eye", "full", "linspace", "ones", "tensor", "zeros"], "random": ["rand", "randn"]}
CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}
PROPERTIES = ("T", "mT")
BINARY: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
}
UNARY: dict[type, Callable] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
COMPARED: dict[type, Callable] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class ExpressionError(ValueError):
    """An expression that cannot be understood or computed."""


@functools.cache
def functions() -> dict[str, Callable]:
    """What an expression may call, by name."""
    found: dict[str, Callable] = {}
    for file in ops.METHODS | dict.fromkeys(
        ("convolution", "dropout", "embedding", "classification", "likelihood", "loss", "normalization", "padding", "pooling")
    ):
        module = importlib.import_module(f"{ops.__name__}.{file}")
        names = MAKERS.get(file, module.__all__)
        found |= {name: getattr(module, name) for name in names if not name.endswith("_")}
    return found


@functools.cache
def methods() -> frozenset[str]:
    """The methods of tensors that an expression may call."""
    return frozenset(name for file, names in ops.METHODS.items() if file not in MAKERS for name in names.split())


def evaluate(text: str, values: Mapping[str, str | Tensor] | None = None) -> Tensor:
    """Compute an expression, recorded as if it stood in a program.

    Args:
        text: `tanh(w*x + b)`, or several statements: `h = tanh(w*x); sum(h*h)`.
        values: for its variables: expressions, each of which becomes a leaf of floats that requires grad, or tensors, whose values
            are taken as they are.

    Raises:
        ExpressionError: it says what was not understood, and what there is.

    >>> y = evaluate("tanh(w*x + b)", {"w": "0.5", "x": "[[1, 2], [3, 4]]", "b": "1"})
    >>> y.sum().backward()
    >>> y.shape
    (2, 2)
    >>> evaluate("__import__('os')")
    Traceback (most recent call last):
    tinygrad_edu.see.expression.ExpressionError: there is no function '__import__' in an expression.
    """
    variables = {name: _leaf(name, value) for name, value in (values or {}).items()}
    try:
        result = _Evaluator(text, variables).run()
    except RecursionError:
        raise ExpressionError("the expression is too deeply nested: split it, as in h = tanh(w*x); sum(h*h).") from None
    if isinstance(result, tuple):
        hint = " For the larger or smaller of two, write maximum or minimum." if hasattr(result, "indices") else ""
        raise ExpressionError(f"{text!r:.60} gives {len(result)} tensors: take one of them, as in f(x)[0].{hint}")
    if not isinstance(result, Tensor):
        raise ExpressionError(f"{text!r:.60} is no tensor but {result!r:.60}: give it variables, as in --let x=2.")
    if result.name is None and result.op is not None and target_at(result.made_at) is None:
        result.name = "result"
    return result


def _leaf(name: str, value: str | Tensor) -> Tensor:
    if isinstance(value, Tensor):
        leaf = value.detach().requires_grad_(value.requires_grad)
    else:
        given = _Evaluator(value, {}).run()
        leaf = (given.detach() if isinstance(given, Tensor) else tensor(given)).float().requires_grad_()
    leaf.name = name
    return leaf


class _Evaluator:
    """Walks the tree of one text."""

    def __init__(self, text: str, variables: dict[str, Any]) -> None:
        self.text = text.strip()
        self.variables = dict(variables)
        try:
            self.tree = ast.parse(self.text)
            self.code = self._compiled()
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            at = f", at character {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
            raise ExpressionError(
                f"{self.text!r:.60} is not an expression{at}: write it as in Python, for example tanh(w*x + b)."
            ) from None

    def _compiled(self) -> CodeType:
        """Never run: it tells where each operation stands, to errors and pictures, just as for a program."""
        filename = f"<expression {self.text}>"
        linecache.cache[filename] = (len(self.text), None, [line + "\n" for line in self.text.splitlines()], filename)
        return compile(self.tree, filename, "exec", dont_inherit=True)

    def run(self) -> Any:
        result = None
        for statement in self.tree.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    result = self.variables[name] = self.value(value)
                case ast.Expr(value=value):
                    result = self.value(value)
                case _:
                    raise ExpressionError(f"{self.text!r:.60}: only expressions and `name = expression` are understood.")
        if result is None:
            raise ExpressionError("the expression is empty: write one, for example tanh(w*x + b).")
        return result

    def value(self, node: ast.expr) -> Any:
        """The value of a part; what it recorded is noted to stand there."""
        compute = self._parts(node)
        began = tick()
        try:
            result = compute()
        except ExpressionError:
            raise
        except Exception as error:
            part = ast.get_source_segment(self.text, node)
            raise ExpressionError(f"{part} cannot be computed: {' '.join(str(error).split())}") from None
        self._note_place(result, node, began)
        return result

    def _parts(self, node: ast.expr) -> Callable[[], Any]:
        """Compute what a part is made of, and return how to compute the part itself."""
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None | EllipsisType() as constant):
                return lambda: constant
            case ast.Name(id=name):
                return lambda: self._look_up(name)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                values = [self.value(part) for part in parts]
                return lambda: values if isinstance(node, ast.List) else tuple(values)
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in BINARY:
                return functools.partial(_binary, BINARY[type(sign)], self.value(left), self.value(right))
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in UNARY:
                return functools.partial(UNARY[type(sign)], _operand(self.value(operand)))
            case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in COMPARED:
                return functools.partial(COMPARED[type(sign)], _operand(self.value(left)), _operand(self.value(right)))
            case ast.Subscript(value=whole, slice=index):
                return functools.partial(operator.getitem, self.value(whole), self.value(index))
            case ast.Slice(lower=lower, upper=upper, step=step):
                ends = [None if end is None else self.value(end) for end in (lower, upper, step)]
                return functools.partial(slice, *ends)
            case ast.Attribute(value=of, attr=name) if name in PROPERTIES:
                return functools.partial(getattr, _tensor(self.value(of)), name)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
                function = _choose(name, functions(), "function")
                return self._call(function, [], args, keywords)
            case ast.Call(func=ast.Attribute(value=of, attr=name), args=args, keywords=keywords):
                _choose(name, dict.fromkeys(methods()), "method")
                return self._call(getattr(Tensor, name), [_tensor(self.value(of))], args, keywords)
        part = ast.get_source_segment(self.text, node) or type(node).__name__
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor):
            raise ExpressionError(f"{part!r} is not understood: a power is written **, as in w**2.")
        raise ExpressionError(
            f"{part!r} is not understood: there are numbers, lists, variables, operators, functions and slices."
        )

    def _call(self, function: Callable, first: list, args: list[ast.expr], keywords: list[ast.keyword]) -> Callable[[], Any]:
        values = [_argument(self.value(argument), function) for argument in args]
        named = {}
        for keyword in keywords:
            if keyword.arg is None:
                raise ExpressionError("** is not understood in an expression.")
            named[keyword.arg] = self.value(keyword.value)
        return functools.partial(function, *first, *values, **named)

    def _look_up(self, name: str) -> Any:
        if name not in self.variables and name in CONSTANTS:
            return CONSTANTS[name]
        if name not in self.variables and name in functions():
            raise ExpressionError(f"{name} is a function: write {name}(...), or give a value for a variable of this name.")
        return _choose(name, self.variables, "variable")

    def _note_place(self, result: Any, node: ast.expr, began: int) -> None:
        position = node.lineno, node.end_lineno, node.col_offset, node.end_col_offset
        found = [i for i, p in enumerate(self.code.co_positions()) if p == position]
        waiting = [result] if isinstance(result, Tensor) else list(result) if isinstance(result, tuple) else []
        while waiting and found:
            made = waiting.pop()
            if isinstance(made, Tensor) and made.op is not None and made.serial > began:
                made.made_at = self.code, 2 * found[-1]
                waiting += made.inputs


def _binary(sign: Callable, left: Any, right: Any) -> Any:
    left, right = _operand(left), _operand(right)
    if not isinstance(left, Tensor) and not isinstance(right, Tensor):
        left = float(left) if sign is operator.pow else left  # 9**9**9 as integers would never end
    return sign(left, right)


def _operand(value: Any) -> Any:
    """A number or a tensor."""
    if isinstance(value, list):
        return tensor(value).float()
    if isinstance(value, Tensor | int | float):
        return value
    raise ExpressionError(f"{value!r:.40} is neither a number nor a tensor.")


def _tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else tensor(_operand(value))


def _argument(value: Any, function: Callable) -> Any:
    """A list of numbers is a tensor, unless tensors are made from it; a list of tensors (for cat) stays one."""
    makes = any(function.__name__ in names for names in MAKERS.values())
    return tensor(value) if isinstance(value, list) and value and not makes and not _holds_tensors(value) else value


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, list) and any(map(_holds_tensors, value)))


def _choose(name: str, known: Mapping[str, Any], kind: str) -> Any:
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, 1)
    hint = f" Did you mean {close[0]}?" if close else f" Give it one: --let {name}=..." if kind == "variable" else ""
    missing = f"the variable {name!r} has no value." if kind == "variable" else f"there is no {kind} {name!r} in an expression."
    raise ExpressionError(missing + hint)
