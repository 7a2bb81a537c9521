"""Formulas as pictures of formulas: the lines `z = x·y;  ∂x = g·y` of the operations' docstrings, as MathML.

Every operation states its formula in one plain notation, so one small reader serves them all: `mathml` turns that notation into
MathML, which browsers draw without fonts or scripts, and `maths_of` looks up an operation's sentence, formula and rules. In
the result the letters that stand for tensors are marked (`data-is="x0"` for the first input, `z` for the output, `g` for the
incoming gradient, `d0` for the gradient of the first input), so that the player can put the names of real tensors there.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

from ..op import Op, registry


@dataclass(frozen=True)
class Maths:
    """What there is to say about an operation.

    sentence: what it does, in plain words.
    forward: its formula, as MathML.
    rules: by input number, how that input's gradient comes about, as MathML.
    hints: by input number, a sentence about that gradient, where there is more to say than `sentence` does.
    """

    sentence: str
    forward: str
    rules: dict[int, str] = field(default_factory=dict)
    hints: dict[int, str] = field(default_factory=dict)


@functools.cache
def maths_of(name: str) -> Maths:
    """Sentence, formula and rules of an operation of the registry, in MathML; for an unknown one, only its name.

    >>> maths_of("neg").sentence
    'The sign turned.'
    >>> maths_of("neg").rules[0]
    '<math><mi data-is="d0">∂x</mi><mo>+=</mo><mo form="prefix">−</mo><mi data-is="g">g</mi></math>'
    """
    if name not in registry:
        return Maths(f"The operation {name}.", f"<math><mi>{escape(name)}</mi></math>")
    this = registry[name]
    places = _places(this)
    known = {*this.inputs, *this.settings}
    parts = formula_parts(this)
    # the forward formula is what stands before the first rule
    rules = {i: text for i in range(len(this.inputs)) if (text := rule_part(this, i, parts[1:])) is not None}
    return Maths(
        sentence=sentence_of(this),
        forward=mathml(parts[0], places, known),
        rules={i: mathml(_adding(text), {**places, **_own(this, i)}, known) for i, text in rules.items()},
        hints={i: HINTS[key] for i, key in enumerate((name, x) for x in this.inputs) if key in HINTS},
    )


# What the docstrings leave unsaid.
SENTENCES = {
    "cast": "The same numbers in another dtype; the gradient is converted back.",
}

# Where a learner asks "why so?" about one input: what its gradient is, in words.
HINTS = {
    **{
        (
            f"{kind}_steps",
            "x",
        ): "All steps in time are one operation here: it opens into its steps (Z, or zoom(the layer's output))."
        for kind in ("rnn", "lstm", "gru")
    },
    ("mul", "x"): "If the first factor grows a little, the product grows by that times the second factor.",
    ("mul", "y"): "If the second factor grows a little, the product grows by that times the first factor.",
    ("sub", "y"): "Subtracting more makes the result smaller: the gradient's sign turns.",
    ("div", "x"): "Dividing by a large number makes every change small: the gradient is divided too.",
    ("div", "y"): "A larger divisor makes the quotient smaller: minus the quotient, divided by the divisor once more.",
    ("matmul", "x"): "To come back to the left factor, multiply by the transposed right factor, from the right.",
    ("matmul", "y"): "To come back to the right factor, multiply by the transposed left factor, from the left.",
    ("linear", "x"): "Every input fed all outputs: its gradient is their gradients, weighted by the weights that joined them.",
    (
        "linear",
        "weight",
    ): "Each weight joined one input to one output: gradient of the output times input, summed over the batch.",
    ("linear", "bias"): "The bias was added in every row of the batch, so the gradients of all rows add up.",
    ("relu", "x"): "Where the input was negative the output stays 0 whatever happens, so no gradient passes there.",
    ("sigmoid", "x"): "Steepest in the middle, at most 1/4, and flat at both ends: there almost no gradient passes.",
    ("softmax", "x"): "The outputs add up to 1, so what one gains the others lose: only differences between gradients pass.",
    ("where", "y"): "The second branch gets the gradient where the condition did not hold.",
    ("prelu", "a"): "The slope matters only where the input is negative.",
    ("embedding", "weight"): "Only the rows that were looked up get a gradient.",
    ("convolution", "w"): "The weight was used at every position, so the gradients of all positions add up.",
    ("convolution", "b"): "The bias was added at every position of every image: their gradients add up.",
}

# Rules that the docstrings state only in words, or leave to the reader.
RULES = {
    ("maximum", "y"): "∂y = g where y > x, g/2 where x = y",
    ("minimum", "y"): "∂y = g where y < x, g/2 where x = y",
    ("excess", "x"): "∂x[n, j] = g[n, j] where z[n, j] > 0, else 0; at j = label[n] -Σ of those",
    ("lstm_steps", "x"): "∂x[t] = wᵀ·∂a[t] with ∂a[t] = (∂c·n, ∂c·c[t-1], ∂c·i, ∂h·tanh c)·slopes of the gates",
    ("lstm_steps", "h"): "∂h = vᵀ·∂a[0]",
    ("lstm_steps", "c"): "∂c = f[0]·(what reaches the cell state of step 0)",
    ("gru_steps", "x"): "∂x[t] = wᵀ·∂a[t] with ∂a[t] = (∂a_r, ∂a_u, ∂z·(1 - u)·(1 - n²))",
    ("gru_steps", "h"): "∂h = u[0]·(what reaches the state of step 0) + vᵀ·∂s[0]",
}

# Letters in a formula that are not the names of the operation's inputs; "" for one that is no input, though it has the name of one.
ALIASES: dict[str, dict[str, str]] = {
    "pow": {"n": "exponent"},
    "standardize": {"w": "weight", "b": "bias"},
    "standardize_rms": {"w": "weight"},
    "lstm_steps": {"h": "", "c": ""},
    "gru_steps": {"h": ""},
}


def sentence_of(this: Op) -> str:
    """What an operation does, in plain words: the docstring's first paragraph, if it is one of words."""
    words = " ".join(this.formula.split("\n\n")[0].split())
    return SENTENCES.get(this.name) or (words if words and not words.startswith("z =") else f"The operation {this.name}.")


def formula_parts(this: Op) -> list[str]:
    """The parts of the docstring's formula line: `z = x·y`, `∂x = g·y`, `∂y = g·x`."""
    for paragraph in this.formula.split("\n\n"):
        if re.match(r"z\w?'? ?(\[.*?\])* ?\+?=|z_\w+ =", paragraph):
            found = [part.strip() for part in re.split(r";\s+", " ".join(paragraph.split()))]
            return [part.removesuffix(";") for part in found]
    arguments = ", ".join(this.inputs)
    return [f"z = {this.name}({arguments})"]


def rule_part(this: Op, slot: int, parts: list[str]) -> str | None:
    """The rule for one input, as the docstring states it."""
    name = this.inputs[slot]
    if (this.name, name) in RULES:
        return RULES[this.name, name]
    if this.variadic:
        name = name.removesuffix("s") + "ᵢ"
    names = [name, *(letter for letter, meant in ALIASES.get(this.name, {}).items() if meant == name)]
    return next((part for part in parts for n in names if re.match(rf"∂{n}ᵢ?(?!\w)", part)), None)


def _adding(rule: str) -> str:
    """`∂x = g` becomes `∂x += g`: a rule makes one part of a gradient, and parts add up."""
    return re.sub(r"^(∂\w+(?:\[.*?\]+)?) = ", r"\1 += ", rule)


def _places(this: Op) -> dict[str, str]:
    """What each letter of an operation's formula stands for: `x0` an input, `z` the output, `g` the incoming gradient."""
    found = {"z'" if "z" in this.inputs else "z": "z", "h" if "g" in this.inputs else "g": "g"}
    inputs = dict.fromkeys(this.inputs)
    for i, name in enumerate(inputs):
        found[name] = f"x{i}"
    for letter, meant in ALIASES.get(this.name, {}).items():
        found[letter] = f"x{this.inputs.index(meant)}" if meant else ""
    return found


def _own(this: Op, slot: int) -> dict[str, str]:
    """In an input's own rule its name stands for it, whatever it means in the others."""
    return {} if this.variadic else {this.inputs[slot]: f"x{slot}"}


# -- from the notation to MathML -------------------------------------------------------------------------------------
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ˣʸⁿᵀᵖᵗⁱʲ", "0123456789+-()xynTptij", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ᵢⱼₙ", "0123456789+-ijn", strict=True))
_FUNCTION = re.compile(
    "a?(sin|cos|tan)h?|atan2|ln|log|exp|max|min|sign|erf|det|softmax|diag|skew|mean|trunc|cumsum|round|gcd|lcm|conv(_input|_weight)?|copyltu"
)
_SPACE = '<mspace width="0.25em"></mspace>'
_CONSTANTS = {"dt", "NaN", "Vh"}
_CLOSING = {"(": ")", "[": "]", "|": "|", "⌊": "⌋", "⌈": "⌉"}
_PRODUCT = {"·", "×", "⊙"}
_SUM = {"+", "-", "±"}
_STRUCTURE = {"=", "+=", "≠", "<", ">", "≤", "≥", "≈", "∈", "→", ",", ";", ":", "&", "~", "?", "!"}

_TOKEN = re.compile(
    rf"""(?P<space>\s+) | (?P<number>\d+(?:\.\d+)?) | (?P<raised>[{"".join(RAISED)}]+) | (?P<lowered>[{"".join(_LOWERED)}]+)
    | (?P<quoted>"[^"]*") | (?P<genitive>'s\b) | (?P<word>e\.g\.|[A-Za-z][A-Za-z0-9]+(?:[-_][A-Za-z]{{2,}})*|[A-Za-z]\u0302?)
    | (?P<mark>\.\.\.|\+=|.)""",
    re.VERBOSE,
)


class _Token(NamedTuple):
    kind: str  # number, raised, lowered, text, name or mark
    text: str
    spaced: bool  # whether a space stands before it


def mathml(formula: str, places: Mapping[str, str] | None = None, known: Collection[str] = ()) -> str:
    """The MathML of a formula in the notation of our docstrings; words in it stay words.

    Args:
        formula: such as `z = x / (1 + eˣ), 0 where x is 0`.
        places: what letters stand for, noted in the attribute `data-is`; a letter behind ∂ becomes its gradient's.
        known: longer names (of settings, say) that are variables, not words.

    >>> mathml("√x / 2")
    '<math><mfrac><mrow><msqrt><mi>x</mi></msqrt></mrow><mn>2</mn></mfrac></math>'
    """
    return f"<math>{_Reader(formula, places or {}, known).sequence()}</math>"


class _Reader:
    """Reads a formula from left to right. It refuses nothing: what is not mathematics is kept as text."""

    def __init__(self, formula: str, places: Mapping[str, str], known: Collection[str]) -> None:
        self.places = places
        self.tokens = _tokens(formula, known)
        self.at = 0
        self.end = ""  # the bracket that closes what is being read

    @property
    def next(self) -> _Token:
        return self.tokens[self.at]

    def take(self) -> _Token:
        token = self.next
        self.at += token.kind != "end"
        return token

    def sequence(self, end: str = "") -> str:
        """Expressions, relations, commas and words, up to a closing bracket or the end."""
        outer, self.end = self.end, end
        found: list[str] = []
        while self.next.text != end and self.next.kind != "end":
            apart = self.next.spaced and found and not found[-1].startswith(("<mo>", "<mtext>"))
            if self.next.kind == "text":
                found.append(self.words())
            elif self.next.text in _STRUCTURE:
                found.append(_mo(self.take().text))
            elif (inner := self.sum()) != "":
                found += [_SPACE + inner if apart else inner]
            else:
                found.append(_mo(self.take().text))
        self.end = outer
        return "".join(found)

    def words(self) -> str:
        """Words that follow each other; they need their spaces written, and a word that a variable follows too."""
        signs = _STRUCTURE - {",", ";"}  # which have their own space around them
        before = " " if self.next.spaced and self.at and self.tokens[self.at - 1].text not in signs else ""
        words = [self.take().text]
        while self.next.kind == "text":
            words += [" "] * self.next.spaced + [self.take().text]
        after = " " if self.next.spaced and self.next.text not in _STRUCTURE and self.next.kind != "end" else ""
        return f"<mtext>{escape(before + ''.join(words) + after, quote=False).replace(' ', chr(0xA0))}</mtext>"

    def sum(self) -> str:
        found: list[str] = []
        while True:
            if self.next.text in _SUM:
                found.append(_mo(self.take().text, prefix=not found))
            term = self.product()
            found.append(term)
            if not term or self.next.text not in _SUM:
                return "".join(found)

    def product(self) -> str:
        """Factors, joined by signs or standing side by side; a fraction bar takes all before it and one factor below."""
        found: list[str] = []
        while True:
            factor = self.factor()
            if not factor:
                return "".join(found)
            found.append(factor)
            if self.next.text in _PRODUCT:
                found.append(_mo(self.take().text))
            elif self.next.text == "/":
                self.take()
                found = [f"<mfrac>{_row(_bare(''.join(found)))}{_row(_bare(self.factor()))}</mfrac>"]
                if self.next.text in _PRODUCT:
                    found.append(_mo(self.take().text))
                elif self.next.text != "/":
                    return found[0]
            elif self.next.spaced or self.next.kind not in ("number", "name", "mark") or self.next.text in _STRUCTURE | _SUM:
                return "".join(found)

    def factor(self) -> str:
        """A number, a variable, a bracket or a function of one, with its powers and indices; nothing if there is none."""
        token = self.next
        if token.text == self.end:
            return ""
        if token.kind == "number":
            return self.scripts(f"<mn>{self.take().text}</mn>")
        if token.kind == "name":
            self.take()
            if _FUNCTION.fullmatch(token.text):
                return self.function(token.text)
            return self.scripts(self.variable(token.text))
        if token.text in ("½", "∞", "..."):
            return self.scripts(f"<mi>{self.take().text.replace('...', '…')}</mi>")
        if token.text in ("Σ", "Π", "∫"):
            self.take()
            sign = self.scripts(_mo({"Σ": "∑", "Π": "∏", "∫": "∫"}[token.text]))
            return sign + self.product()
        if token.text == "√":
            self.take()
            return f"<msqrt>{_bare(self.factor())}</msqrt>"
        if token.text == "∂" and self.tokens[self.at + 1].kind == "name":
            self.take()
            name = self.take().text
            place = self.places.get(name, "")
            number = place[1:] if place[:1] == "x" else ""
            subscript = self.take().text if self.next.kind == "lowered" else ""  # ∂xᵢ: each of several inputs
            mark = f"d{number or 0}" if number or subscript else ""
            return self.scripts(_mi(f"∂{name}{subscript}", mark) if mark else f"<mrow><mi>∂</mi><mi>{name}</mi></mrow>")
        if token.text in _CLOSING:
            self.take()
            inner = self.sequence(_CLOSING[token.text])
            return self.scripts(f"<mrow>{_mo(token.text)}{inner}{_mo(self.take().text)}</mrow>")
        if token.kind == "quoted":
            return f"<mtext>{escape(self.take().text, quote=False)}</mtext>"
        return ""

    def variable(self, name: str) -> str:
        if self.next.text == "'" and not self.next.spaced:
            self.take()
            name += "'"
        return _mi(name, self.places.get(name, ""))

    def function(self, name: str) -> str:
        """A function and what it is applied to: `sin x`, `max(x, y)`."""
        head = self.scripts(f"<mi>{name}</mi>", applied=False)
        if self.next.kind in ("text", "end"):
            return head
        argument = self.factor()
        space = "" if argument.startswith("<mrow><mo>(") else _SPACE
        return f"{head}<mo>\u2061</mo>{space}{argument}" if argument else head

    def scripts(self, base: str, applied: bool = True) -> str:
        """What hangs on an expression: powers, indices, and for a variable the brackets of a function of its name."""
        while True:
            token = self.next
            if token.kind == "lowered":
                lower = _script(self.take().text, _LOWERED)
                upper = _script(self.take().text, RAISED, self.places) if self.next.kind == "raised" else ""
                tag = "msubsup" if upper else "msub"
                base = f"<{tag}>{base}{lower}{upper}</{tag}>"
            elif token.kind == "raised":
                base = f"<msup>{_row(base)}{_script(self.take().text, RAISED, self.places)}</msup>"
            elif token.text == "^":
                self.take()
                minus = _mo(self.take().text, prefix=True) if self.next.text == "-" else ""
                base = f"<msup>{_row(base)}{_row(minus + _bare(self.factor()))}</msup>"
            elif token.text == "_":
                self.take()
                base = f"<msub>{base}{_mi(self.take().text, '')}</msub>"
            elif token.text == "[" and (not token.spaced or base.endswith("'</mi>")) and applied:
                self.take()
                inner = self.sequence("]")
                self.take()
                base = f"<msub>{base}{_row(inner)}</msub>"
            elif token.text == "(" and not token.spaced and applied and base.startswith(("<mi", "<msup><mi")):
                self.take()
                inner = self.sequence(")")
                self.take()
                return self.scripts(f"{base}<mo>\u2061</mo><mrow><mo>(</mo>{inner}<mo>)</mo></mrow>", applied=False)
            else:
                return base


def _tokens(formula: str, known: Collection[str]) -> list[_Token]:
    """The tokens of a formula; a word is a name if it stands where a variable or function would."""
    raw, spaced = [], False
    for match in _TOKEN.finditer(formula):
        kind = match.lastgroup or "mark"
        if kind != "space":
            raw.append((kind, match[0], spaced))
            if len(raw) > 2 and raw[-2][1] == "_" and (name := f"{raw[-3][1]}_{match[0]}") in known:  # an input called w_ih
                raw[-3:] = [("word", name, raw[-3][2])]
        spaced = kind == "space"
    found = []
    for i, (kind, text, spaced) in enumerate(raw):
        if kind == "word":
            for part, is_name in _names_in(text, raw, i, known):
                found.append(_Token("name" if is_name else "text", part, spaced))
                spaced = False
        elif kind == "genitive":
            found.append(_Token("text", text, spaced))
        elif kind == "mark" and (text.isalpha()):  # Greek letters
            found.append(_Token("mark" if text in "ΣΠ" else "name", text, spaced))
        else:
            found.append(_Token(kind, text, spaced))
    return [*found, _Token("end", "", True)]


def _names_in(word: str, raw: list, i: int, known: Collection[str]) -> list[tuple[str, bool]]:
    """A word as names and text: `slope` in `slope·x` is a name, in `slope of this` text; `z_ij` stays one name."""
    bare = word.replace("\u0302", "")
    before = raw[i - 1] if i else ("end", "", True)
    after = raw[i + 1] if i + 1 < len(raw) else ("end", "", True)
    if bare == "a" and after[0] == "word" and after[2] and word not in known:
        return [(word, False)]  # the article
    if len(bare) == 1 or word in known or _FUNCTION.fullmatch(word) or word in _CONSTANTS:
        return [(word, True)]
    attached = not after[2] and (after[1][0] in "([^" or after[0] == "raised")
    joined = after[1] in _PRODUCT | _SUM | {"/", "="} or before[1] in _PRODUCT | _SUM | {"/"} or before[1] == "_"
    alone = after[0] != "word" and before[0] != "word"
    return [(word, attached or (joined and alone))]


def _script(text: str, letters: Mapping[str, str], places: Mapping[str, str] | None = None) -> str:
    """A raised or lowered run: digits behind a letter are its power, `ᵗ²` in `e⁻ᵗ²`; `places` as for `mathml`."""
    plain = "".join(letters[c] for c in text)
    if plain in ("T", "-T"):
        return _row(_mo("-") * plain.startswith("-") + "<mo>⊤</mo>")
    found: list[str] = []
    for piece in re.findall(r"\d+|[a-z]|.", plain):
        if piece.isdigit() and found and found[-1].startswith("<mi"):
            found[-1] = f"<msup>{found[-1]}<mn>{piece}</mn></msup>"
        else:
            found.append(
                f"<mn>{piece}</mn>"
                if piece.isdigit()
                else _mi(piece, (places or {}).get(piece, ""))
                if piece.isalpha()
                else _mo(piece)
            )
    return _row("".join(found))


def _mo(sign: str, prefix: bool = False) -> str:
    form = ' form="prefix"' if prefix else ""
    return f"<mo{form}>{escape(sign.replace('-', '−'), quote=False)}</mo>"


def _mi(name: str, place: str) -> str:
    mark = f' data-is="{place}"' if place else ""
    return f"<mi{mark}>{escape(name, quote=False)}</mi>"


def _row(inner: str) -> str:
    """One element, as fractions and powers need it."""
    single = re.fullmatch(r"<(m[ino])[^>]*>[^<]*</\1>", inner)
    return inner if single else f"<mrow>{inner}</mrow>"


def _bare(inner: str) -> str:
    """Without the round brackets around the whole, which a fraction bar or a root makes needless."""
    if not inner.startswith("<mrow><mo>(</mo>") or not inner.endswith("<mo>)</mo></mrow>"):
        return inner
    depth = 0
    for tag in re.finditer(r"<(/?)mrow>", inner):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return inner[len("<mrow><mo>(</mo>") : -len("<mo>)</mo></mrow>")] if tag.end() == len(inner) else inner
    return inner
