"""A step of a trace in words and numbers: what the terminal says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .format import Node, Rule, Step, Trace
from .maths import ALIASES, RAISED
from .style import on_one_line, short


def headline(trace: Trace, step: Step) -> str:
    """A step in a few words: `mul sends to x, part 1 of 2`."""
    node = trace.node(step.node)
    if step.kind == "op":
        return node.expr or node.name if node.name in (node.id, node.expr) else f"{node.name} = {node.expr}"
    if step.kind == "seed":
        return f"start at {node.name}"
    if step.kind == "visit":
        return f"the gradient of {node.name} is complete"
    if step.kind == "done":
        return "done"
    part = f", part {step.got} of {step.uses}" if (step.uses or 0) > 1 else ""
    return f"{node.op} sends to {trace.node(step.to or '').name}{part}"


def slope(trace: Trace, name: str) -> str:
    """`∂loss/∂w`."""
    return f"∂{trace.node(trace.loss).name}/∂{name}"


def rule_text(trace: Trace, step: Step) -> str | None:
    """The rule of a contribution with the learner's names in it: `∂L/∂x += ∂L/∂z·y`."""
    if step.kind != "contribute" or step.slot is None or step.rule is None:
        return None
    node, rule = trace.node(step.node), trace.rules[step.rule]
    if len(rule.inputs) != len(node.inputs) or (name := rule.inputs[step.slot]) not in rule.derivatives:
        return None
    text = _with_names(trace, node, rule, rule.derivatives[name])
    place = re.search(rf"; ∂{name}(ᵢ|\[.*?\])? \+?= ", rule.formula)  # which elements it is said of, as [index] in ∂x[index] += g
    over = f"Σ axis {', '.join(map(str, step.reduced_axes))} of " if step.reduced_axes else ""
    return f"{slope(trace, trace.node(step.to or '').name)}{(place and place[1]) or ''} += {over}{text}"


def formula_text(trace: Trace, step: Step) -> str | None:
    """The formula of an operation with the learner's names in it: `z = w·x`."""
    node, rule = trace.node(step.node), trace.rules.get(step.rule or "")
    if step.kind != "op" or rule is None or len(rule.inputs) != len(node.inputs):
        return None
    return _with_names(trace, node, rule, rule.formula.partition("; ")[0])


def _with_names(trace: Trace, node: Node, rule: Rule, text: str) -> str:
    names = {"h" if "g" in rule.inputs else "g": slope(trace, node.name), "z'" if "z" in rule.inputs else "z": node.name}
    for parameter, x in zip(rule.inputs, node.inputs, strict=True):
        name = trace.node(x).name if x else _in_brackets(node.attrs.get(parameter, parameter))
        names |= {parameter: name, f"∂{parameter}": slope(trace, name)}
    for letter, meant in ALIASES.get(rule.op, {}).items():
        if meant:
            names[letter] = names[meant]
        else:
            names.pop(letter)
            names.pop(f"∂{letter}")
    text = re.sub(f"[{''.join(RAISED)}]+", lambda found: _raised(found[0], names), text)
    text = re.sub(r"∂?[A-Za-z_]\w*?'?(?=[^A-Za-z_0-9]|$)", lambda found: names.get(found[0], found[0]), text)
    return re.sub(r" \([^()]* where (\S+) = (\S+)( and [^()]*)?\)", _remark, text)


def _in_brackets(value: Any) -> str:
    """A number as a factor or a term: `2`, `(−2)`."""
    text = short(value) if isinstance(value, int | float) else str(value)
    return f"({text})" if text.startswith("−") else text


def _raised(power: str, names: Mapping[str, str]) -> str:
    """A power in which an input stands, so that its name can be put there: `ⁿ⁻¹` as `^(n-1)`."""
    plain = "".join(RAISED[letter] for letter in power)
    if not any(letter in names for letter in plain):
        return power
    return f"^({plain})" if len(plain) > 1 else f"^{plain}"


def _remark(found: re.Match) -> str:
    """` (0 where n = 0)` is left out where n is another number."""
    return found[0] if found[1] == found[2] or not re.fullmatch(r"\(?−?[\d.]+\)?", found[1]) else ""


class Shown(NamedTuple):
    """A tensor in a line of an equation: the sign in front of it, its ref, what it is called, and whether it is a gradient."""

    sign: str
    ref: int | None
    caption: str
    gradient: bool = True


Row = list[Shown]
INFIX = {"add": "+", "sub": "−", "mul": "·", "div": "/", "matmul": "@"}


def computation(trace: Trace, step: Step) -> list[Row]:
    """An operation in numbers: its inputs, and what it makes of them."""
    node = trace.node(step.node)
    inputs = [trace.node(x) for x in node.inputs if x]
    sign = INFIX.get(node.op or "") if len(inputs) == len(node.inputs) == 2 else None
    row: Row = [Shown(sign or "," if k else "", x.value, x.name, False) for k, x in enumerate(inputs)]
    return [[*row, Shown("=" if sign else f"{node.op} →", node.value, node.name, False)]]


def equations(trace: Trace, step: Step) -> list[Row]:
    """The step in numbers: lines of tensors with signs between them."""
    node = trace.node(step.node)
    if step.kind == "op":
        return [[Shown("", node.value, node.name, False)]]
    if step.kind == "seed":
        return [[Shown("", step.after, slope(trace, node.name))]]
    if step.kind == "done":
        return [[Shown("", ref, slope(trace, trace.node(id).name))] for id, ref in (step.gradients or {}).items()]
    if step.kind == "visit":
        parts = step.parts or []
        row: Row = []
        if len(parts) > 1:
            for part in parts:
                row.append(Shown("+" if row else "", part.tensor, f"from {trace.node(trace.edge(part.edge).dst).name}"))
        return [[*row, Shown("=" if row else "", step.after, slope(trace, node.name))]]
    to = trace.node(step.to or "")
    row = []
    weighted = step.equation is not None and step.equation.kind == "weighted"  # its derivatives fill no line; `worked` has some
    if step.equation is not None:
        sign = {"times": "·", "matmul": "@"}.get(step.equation.kind, "")
        for term in step.equation.terms[: 1 if weighted else 2]:
            name = {"gradient": slope(trace, node.name), "value": trace.node(term.node).name if term.node else ""}
            caption = name.get(term.role, "local derivative") + (" transposed" if term.transposed else "")
            row.append(Shown(sign if row else "", term.tensor, caption, term.role == "gradient"))
        if step.equation.kind == "sum":
            row[0] = row[0]._replace(sign="Σ")
    becomes = "" if not row else "· derivatives, Σ →" if weighted else "="
    rows: list[Row] = [[*row, Shown(becomes, step.raw, "contribution")]]
    if step.reduced_axes:
        rows[0].append(Shown(f"Σ axis {', '.join(map(str, step.reduced_axes))} →", step.reduced, f"fits {to.name}"))
    if step.before is not None:
        after = Shown("=", step.after, slope(trace, to.name))
        rows.append([Shown("", step.before, "so far"), Shown("+", step.reduced, "contribution"), after])
    return rows


def worked(trace: Trace, step: Step) -> str | None:
    """The largest number of a result that is made of several, and how: `contribution[0, 1] = 0.5·2 + (−3) = −2`."""
    if step.equation is None or step.equation.kind not in ("weighted", "largest", "smallest"):
        return None
    node = trace.node(step.node)
    result = node.value if step.raw is None else step.raw
    refs = (*(term.tensor for term in step.equation.terms[:2]), result)
    numbers, factors, results = ([float(v) for v in trace.tensors[ref].data or []] for ref in refs)
    at = max(range(len(results)), key=lambda k: abs(results[k]))
    pairs = [(x, d) for x, d in zip(numbers, factors[at * len(numbers) :], strict=False) if d]
    if step.equation.kind == "weighted":
        if len(pairs) > MOST:
            pairs = [(x, d) for x, d in pairs if x]  # of many terms, those that count
        terms = [_in_brackets(x) + ("" if d == 1 else f"·{_in_brackets(d)}") for x, d in pairs]
        rest = results[at] - sum(x * d for x, d in pairs)  # a bias
        if step.raw is None and abs(rest) > 1e-5 * max(abs(results[at]), *map(abs, numbers)):
            terms.append(_in_brackets(rest))
        elif not pairs or (len(pairs) == 1 and pairs[0][1] == 1):  # all are 0, or one number is handed on
            return None
        made = " + ".join(_several(terms))
    else:
        made = f"{'max' if step.equation.kind == 'largest' else 'min'}({', '.join(_several([short(x) for x, _ in pairs]))})"
    place = ", ".join(map(str, np.unravel_index(at, trace.tensors[result].shape)))
    name = node.name if step.raw is None else "contribution"
    return f"{name}{f'[{place}]' if place else ''} = {made} = {short(results[at])}"


MOST = 8  # terms of a sum that are written out


def _several(terms: list[str]) -> list[str]:
    return terms if len(terms) <= MOST else [*terms[: MOST - 2], "…", terms[-1]]


def as_text(trace: Trace, i: int) -> str:
    """One step as a few lines of text."""
    now = trace.steps[i]
    where = f"{i + 1}/{len(trace.steps)}" + (f" {now.phase}:" if now.phase != "done" else "")
    lines = [f"{where} {headline(trace, now)}"]
    rule = rule_text(trace, now)
    if rule:
        lines.append(f"  {rule}")
    for row in equations(trace, now):
        named = len(row) == 1
        parts = [f"{each.sign} {on_one_line(trace.tensors[each.ref])}".strip() for each in row if each.ref is not None]
        lines.append("  " + (f"{row[0].caption} = " if named else "") + " ".join(parts))
    if cell := worked(trace, now):
        lines.append(f"  {cell}")
    return "\n".join(lines)
