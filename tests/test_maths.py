"""Formulas as MathML: every operation of the registry has a sentence, a formula and a rule for each input; nothing gets lost."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

import tinygrad_edu.nn  # noqa: F401 (registers its operations)
from tinygrad_edu import op
from tinygrad_edu.op import registry
from tinygrad_edu.see import maths
from tinygrad_edu.see.maths import mathml, maths_of

OWN = [name for name, this in registry.items() if this.forward.__module__.startswith("tinygrad_edu.")]


def plain(text: str) -> str:
    """What a formula says, without the marks of its layout: brackets, bars, spaces, raised and lowered letters."""
    text = text.translate(str.maketrans({**maths.RAISED, **maths._LOWERED}))
    text = text.translate(str.maketrans({"−": "-", "∑": "Σ", "∏": "Π", "⊤": "T", "…": None}))
    return re.sub(r"""[][()\s/·^_√"\u2061]|\.\.\.""", "", text)


@pytest.mark.parametrize("name", OWN)
def test_every_operation_has_maths_and_a_sentence(name):
    this, found = registry[name], maths_of(name)
    assert not found.sentence.startswith("The operation")
    assert found.sentence[-1] in ".)"
    for formula in (found.forward, *found.rules.values()):
        ElementTree.fromstring(formula)  # well-formed
    if this.joint is None:
        assert set(found.rules) == {i for i, rule in enumerate(this.rules) if rule is not None}
    else:
        assert found.rules
    assert set(found.hints) <= set(found.rules)


@pytest.mark.parametrize("name", OWN)
def test_nothing_of_a_formula_gets_lost(name):
    parts = maths.formula_parts(registry[name])
    assert plain("".join(ElementTree.fromstring(maths_of(name).forward).itertext())) == plain(parts[0])
    for part in parts[1:]:
        assert plain("".join(ElementTree.fromstring(mathml(part)).itertext())) == plain(part)


@pytest.mark.parametrize("name", OWN)
def test_the_letters_of_a_rule_are_marked(name):
    """In a rule stands the gradient that it makes, so that the player can write the names of real tensors."""
    for slot, rule in maths_of(name).rules.items():
        assert f'data-is="d{slot}"' in rule


def test_structure():
    assert "<mfrac><mi>x</mi><mi>y</mi></mfrac>" in mathml("x / y")
    assert mathml("x²") == "<math><msup><mi>x</mi><mn>2</mn></msup></math>"
    assert "<msub><mi>x</mi><mrow><mi>i</mi><mo>,</mo><mi>j</mi></mrow></msub>" in mathml("x[i, j]")
    assert "<msup><mi>g</mi><mo>⊤</mo></msup>" in mathml("gᵀ·x")
    assert "<mtext>where\xa0</mtext>" in mathml("where x > 0")
    assert mathml("a < b & c").count("&lt;") == 1
    assert "<script>" not in mathml("<script>alert(1)</script>")


def test_unfinished_formulas_are_read_all_the_same():
    for broken in ("(", ")", "x[", "|x", "√", "^", "x^", "/", "∂", "· ·", "", "⌊x", "Σ", "-", "x'"):
        ElementTree.fromstring(mathml(broken))


def test_an_operation_of_ones_own():
    @op(dx=lambda g, z, x, y, w: g * y, dy=lambda g, z, x, y, w: g * x, dw=lambda g, z, x, y, w: g)
    def fma(x, y, w):
        """Multiply and add.

        z = x·y + w;  ∂x = g·y;  ∂y = g·x;  ∂w = g
        """
        return x * y + w

    try:
        maths_of.cache_clear()
        found = maths_of("fma")
        assert found.sentence == "Multiply and add."
        assert 'data-is="x2"' in found.forward
        assert sorted(found.rules) == [0, 1, 2]
    finally:
        del registry["fma"]
        maths_of.cache_clear()


def test_an_unknown_operation_has_its_name():
    assert "<mi>a&lt;b</mi>" in maths_of("a<b").forward
