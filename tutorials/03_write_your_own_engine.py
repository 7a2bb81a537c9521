# %% [markdown]
# # 3. Write your own engine
#
# **Can you write a library that finds derivatives, in an afternoon and in less than 100 lines?**
#
# You have seen what an autograd engine does: it records ([tutorial 1](01_tensors_and_dynamic_graphs.ipynb)), and it walks back
# ([tutorial 2](02_backprop_step_by_step.ipynb)). Now you build one from nothing, cell by cell: first for single numbers, and it
# trains a small network; then two additions make it work with whole arrays. After each section you see where this package does the
# same. At the end you hunt for mistakes in broken engines.
#
# (The best known engine of this size is Andrej Karpathy's [micrograd](https://github.com/karpathy/micrograd). Ours is made like
# this package, only smaller.)
#
# You need tutorials 1 and 2. About 30 minutes, and the exercises.

# %%
import inspect
import itertools
import time

import matplotlib.pyplot as plt
import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.exercises import check
from tinygrad_edu.plot import Flipbook
from tinygrad_edu.testing import broadcastable_shapes

plt.style.use("tinygrad_edu.figures")

# %% [markdown]
# ## A number that remembers
#
# A `Value` holds a number and three notes: which operation made it, from which other Values, and when it was born. (The clock just
# counts 0, 1, 2 ...; we shall need the births to find an order.) Its gradient is 0 until we walk back.

# %%
clock = itertools.count()


class Value:
    """A number that remembers how it was made."""

    def __init__(self, data, op=None, inputs=()):
        self.data, self.op, self.inputs = data, op, inputs
        self.born = next(clock)
        self.grad = 0.0

    def __repr__(self):
        return f"Value({self.data})"


Value(3.0)

# %% [markdown]
# Who writes those notes down? The operation, whenever it is called. An `Op` wraps a function of plain numbers. It takes the numbers
# out of its inputs, computes, and puts the result into a new Value. (The `rules` come in the next section.)


# %%
class Op:
    """An operation: a function of numbers, and a rule for each of its inputs."""

    def __init__(self, forward, rules=()):
        self.name, self.forward, self.rules = forward.__name__, forward, rules

    def __call__(self, *inputs):
        inputs = [x if isinstance(x, Value) else Value(x) for x in inputs]
        return Value(self.forward(*[x.data for x in inputs]), self, inputs)


@Op  # short for: add = Op(add)
def add(x, y):
    return x + y


@Op
def mul(x, y):
    return x * y


Value.__add__ = Value.__radd__ = lambda x, y: add(x, y)
Value.__mul__ = Value.__rmul__ = lambda x, y: mul(x, y)

# %% [markdown]
# The last two lines tell Python what `+` and `*` do with Values (`__radd__` is for `2 + x`, where the Value stands at the right). A
# `lambda` looks up `add` only when it is called; so we may write a better `add` later, and `+` will use it.
#
# That is all it takes to record. In this function `a` is used twice, and so is `h`. Ask its result, the loss, where it comes from:


# %%
def f(a, b):
    h = a * b
    u = h + a
    return h * u


a, b = Value(1.0), Value(3.0)
loss = f(a, b)
h, u = loss.inputs
print(loss, "made by", loss.op.name, "from", loss.inputs)
print(u, "made by", u.op.name, "from", u.inputs)

# %% jupyter={"source_hidden": true}
PLACES = {"b": (0, 1), "a": (0, 0), "h": (1, 0.85), "u": (2, 0.15), "loss": (3, 0.7)}


def sketch(values, inside, arrows=None, active=None, title=""):
    """The graph of `values`, {name: Value}, as it was recorded. `inside`: a text for
    each name; `arrows`: one for each pair of names; `active`: the pair on its way back."""
    names = {value: name for name, value in values.items()}
    figure, ax = plt.subplots(figsize=(5.6, 2.3))
    middle = {"ha": "center", "va": "center", "fontsize": 9}
    cards = {}
    for name, value in values.items():
        text = "\n".join(filter(None, [f"{name} = {value.data:g}", inside.get(name)]))
        box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "C0"}
        cards[name] = ax.text(*PLACES[name], text, **middle, bbox=box, zorder=3)
    for name, value in values.items():
        for x in value.inputs:
            pair = names[x], name
            ends = [cards[end].get_bbox_patch() for end in pair]
            look = {"patchA": ends[0], "patchB": ends[1], "shrinkA": 2, "shrinkB": 2}
            look |= {
                "arrowstyle": "-|>",
                "mutation_scale": 14,
                "color": "C5",
                "lw": 1.3,
            }
            if pair == active:
                look |= {"arrowstyle": "<|-", "color": "C4", "lw": 3}
            places = PLACES[name], PLACES[names[x]]
            ax.annotate("", *places, arrowprops=look)
            if arrows:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
                ax.text(*np.mean(places, 0), arrows[pair], **middle, bbox=box)
    ax.set(xlim=(-0.4, 3.4), ylim=(-0.3, 1.3), title=title)
    ax.axis("off")
    return figure


values = {"a": a, "b": b, "h": h, "u": u, "loss": loss}
made_by = {name: f"by {v.op.name}" if v.op else "leaf" for name, v in values.items()}
sketch(values, made_by, title="what the Values remember")
plt.show()

# %% [markdown]
# `f` says only `+` and `*`, so it takes tensors just as well. The package records the same graph:

# %%
tg.draw(
    f(tg.tensor(1.0, requires_grad=True), tg.tensor(3.0, requires_grad=True)),
    gradients=False,
)

# %% [markdown]
# > **In the package:** the notes are the fields `op`, `inputs` and `serial` of a [Tensor](../tinygrad_edu/tensor.py); they are
# > written in [op.py](../tinygrad_edu/op.py), by `call` inside of `recording`. It is longer because it also brings dtypes and
# > devices together and explains errors. [ops/\_\_init\_\_.py](../tinygrad_edu/ops/__init__.py) has the list of operators.
#
# ## One rule for each input
#
# How fast does the result of an operation grow with one of its inputs? That is the *local slope*, and the chain rule needs it. A
# rule gets the gradient `g` of the result, the result `z` and the inputs. It returns what one input gets: `g` times the local
# slope.
#
# We write the rules above the function, as `@op(dx=..., dy=...)`: `op` takes them, waits for the function, and makes an `Op` of
# both. Two operations are new, `sub` and `tanh`.


# %%
def op(**rules):
    """Makes an operation of the function below it, with these rules."""
    return lambda forward: Op(forward, list(rules.values()))


@op(dx=lambda g, z, x, y: g, dy=lambda g, z, x, y: g)
def add(x, y):
    return x + y


@op(dx=lambda g, z, x, y: g, dy=lambda g, z, x, y: -g)
def sub(x, y):
    return x - y


@op(dx=lambda g, z, x, y: g * y, dy=lambda g, z, x, y: g * x)
def mul(x, y):
    return x * y


@op(dx=lambda g, z, x: g * (1 - z * z))
def tanh(x):
    return np.tanh(x)


Value.__sub__ = lambda x, y: sub(x, y)
Value.__rsub__ = lambda x, y: sub(y, x)
Value.tanh = lambda x: tanh(x)

# %% [markdown]
# The slope of tanh is $1 - \tanh^2 x$, and $z$ *is* $\tanh x$: its rule needs only $z$. With $g = 1$ a rule returns the local slope
# alone. Here the slopes stand on the arrows:

# %% tags=["cover"]
a, b = Value(1.0), Value(3.0)
loss = f(a, b)
h, u = loss.inputs
values = {"a": a, "b": b, "h": h, "u": u, "loss": loss}

local = {}
for result in (h, u, loss):
    numbers = [x.data for x in result.inputs]
    for x, rule in zip(result.inputs, result.op.rules, strict=True):
        local[x, result] = rule(1.0, result.data, *numbers)

names = {value: name for name, value in values.items()}
slopes = {(names[x], names[z]): f"·{slope:g}" for (x, z), slope in local.items()}
sketch(values, made_by, slopes, title="how fast each result grows with each input")
plt.show()

# %% [markdown]
# Check one on paper: if `u` grows by 1, `loss = h * u` grows by `h`, which is 3.
#
# > **In the package:** [ops/arithmetic.py](../tinygrad_edu/ops/arithmetic.py) declares `mul` with the very same two rules. All
# > other operations are declared so; `tanh` is in [ops/elementwise.py](../tinygrad_edu/ops/elementwise.py).
#
# ## The order
#
# A Value may hand its gradient on only when all parts of it have arrived (tutorial 2). So on the walk back, everything that was
# made *from* it must have its turn first. Each Value was born after its inputs. So collect all results that led to the loss, and
# sort them by birth: read from the end, that is the order we need. (A leaf is no result; it hands nothing on.)


# %%
def order(root):
    """The results that led to root, each after those that it was made from."""
    found, todo = {root}, [root]
    for value in todo:  # which grows meanwhile
        for x in value.inputs:
            if x not in found:
                found.add(x)
                todo.append(x)
    return sorted([value for value in todo if value.op], key=lambda value: value.born)


print(" → ".join(names[value] for value in reversed(order(loss))))
births = {name: f"born {value.born}" for name, value in values.items()}
sketch(values, births, title="the walk back goes from the youngest to the oldest")
plt.show()

# %% [markdown]
# > **In the package:** `topological_order` in [autograd/engine.py](../tinygrad_edu/autograd/engine.py) does this, and the birth is
# > called `serial`. Other small engines find an order by recursion. With a thousand operations in a row Python then gives up with a
# > RecursionError; a loop does not.
#
# ## The walk back
#
# Everything is there. Start with 1 at the loss. Go through the results, the youngest first. Let each rule make its part, and add
# the part to the input's gradient. (Results begin at 0 in every walk. Leaves keep what they have; it adds up until you set it to
# 0, as in tutorial 2.)
#
# `yield` makes `steps` a generator: it hands out each part and pauses, so that we can watch. `backward` does not watch: it lets
# `steps` run to its end.


# %%
def steps(root):
    """Walk back from root by the chain rule; yields each part that arrives."""
    results = order(root)
    for z in results:
        z.grad = 0.0
    root.grad = 1.0
    for z in reversed(results):
        numbers = [x.data for x in z.inputs]
        for x, rule in zip(z.inputs, z.op.rules, strict=True):
            part = rule(z.grad, z.data, *numbers)
            x.grad = x.grad + part
            yield z, x, part


def backward(root):
    """Add the slope of root to the .grad of each leaf behind it."""
    for _ in steps(root):
        pass


Value.backward = backward

# %% [markdown]
# Leaf through the walk. The red arrow shows who sends to whom. The part is the sender's gradient times the slope on the arrow.


# %% jupyter={"source_hidden": true}
def walk_pages():
    def page(title, inside, active=None):
        figure = sketch(values, inside, slopes, active, title)
        plt.close(figure)  # the book shows it
        return figure

    yield page("the loss compared with itself: 1", {"loss": "grad 1"})
    for z, x, part in steps(loss):
        pair = names[x], names[z]
        title = f"{pair[1]} sends {pair[0]}:  {z.grad:g} · {local[x, z]:g} = {part:g}"
        if x.grad != part:
            title += f",  together {x.grad - part:g} + {part:g} = {x.grad:g}"
        inside = {name: f"grad {v.grad:g}" for name, v in values.items() if v.grad}
        yield page(title, inside, pair)


Flipbook(walk_pages(), title="your engine walks back")

# %% [markdown]
# At `h` and at `a` two parts add up. Here is the same computation in the package's player. Step through it beside yours: the same
# parts, in the same order.

# %%
ta = tg.tensor(1.0, requires_grad=True, name="a")
tb = tg.tensor(3.0, requires_grad=True, name="b")
their_loss = f(ta, tb)
tg.play(their_loss, title="f(a, b), by the package")

# %% [markdown]
# The same in numbers: both engines can be watched, so let them walk side by side.

# %%
theirs_steps = (s for s in tg.autograd.steps(their_loss) if s.kind == "contribute")
print("your engine        the package")
for (z, _, part), step in zip(steps(loss), theirs_steps, strict=True):
    ours = f"{z.op.name} sends {part:g}"
    print(f"{ours:18} {step.node.op.name} sends {step.reduced.item():g}")

# %% [markdown]
# > **In the package:** `chain_rule` in [autograd/engine.py](../tinygrad_edu/autograd/engine.py) is this loop, and a generator like
# > ours: `backward` runs it to its end, `tg.autograd.steps` and the player look at what it yields. It also frees memory on the way,
# > notices tensors that were changed in the meantime, and can record itself, for second derivatives.
#
# ## Trust nobody
#
# Are the gradients right? Compare with slopes measured by small steps to both sides, as in tutorial 2: they know no chain rule.
# `measured` runs the function twice for each input. `gradients` asks an engine: the one whose `backward` is its last argument.


# %%
def measured(f, inputs, eps=1e-5):
    """The slopes of f at these numbers, by small steps to both sides."""
    slopes = []
    for i in range(len(inputs)):
        up, down = list(inputs), list(inputs)
        up[i] += eps
        down[i] -= eps
        rise = f(*map(Value, up)).data - f(*map(Value, down)).data
        slopes.append(rise / (2 * eps))
    return slopes


def gradients(f, inputs, backward=backward):
    """The slopes of f at these numbers, by an engine's walk back."""
    values = [Value(x) for x in inputs]
    backward(f(*values))
    return [value.grad for value in values]


def close(found, expected):
    return np.allclose(found, expected, rtol=1e-4, atol=1e-6)


print("engine:  ", gradients(f, [1.0, 3.0]))
print("measured:", [round(slope, 6) for slope in measured(f, [1.0, 3.0])])

# %% [markdown]
# One point proves little. Better would be: *at every point the two agree*. Such a sentence is a **property**. You say what the
# inputs are like, and the library [Hypothesis](https://hypothesis.readthedocs.io) searches for some that break your sentence. Here
# they are tenths from -2 to 2. Under `@given`, the test is run again and again, with other `x` and `y`; `@quick` holds the
# settings.

# %%
numbers = st.integers(-20, 20).map(lambda n: n / 10)
quick = settings(
    max_examples=60,
    derandomize=True,  # the same tries every time
    phases=[Phase.generate, Phase.shrink],  # search; then look for something simpler
    report_multiple_bugs=False,  # the first is enough
    database=None,  # keep nothing on disk
    deadline=None,  # a slow computer may take its time
)

tried = []


@quick
@given(x=numbers, y=numbers)
def test_f(backward, x, y):
    right = close(gradients(f, [x, y], backward), measured(f, [x, y]))
    tried.append((x, y, right))
    assert right


test_f(backward)  # Hypothesis chooses x and y
tried_on_ours = [*tried]
print("nothing found that breaks it")

# %% [markdown]
# Would it have noticed a mistake? Only a broken engine can tell. This one replaces the gradient where it should add. When a test
# fails, Hypothesis does not stop: it looks for the *simplest* numbers that break it.


# %%
def forgetful(root):
    results = order(root)
    root.grad = 1.0
    for z in reversed(results):
        numbers = [x.data for x in z.inputs]
        for x, rule in zip(z.inputs, z.op.rules, strict=True):
            x.grad = rule(z.grad, z.data, *numbers)  # should be: x.grad + ...


tried.clear()
try:
    test_f(forgetful)
except AssertionError:
    x, y, _ = tried[-1]
    print(f"broken by x = {x}, y = {y}")
    print("engine:  ", gradients(f, [x, y], forgetful))
    print("measured:", [round(slope, 6) for slope in measured(f, [x, y])])

# %% jupyter={"source_hidden": true} tags=["volatile"]
figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.5))
for ax, pairs, title in [
    (axes[0], tried_on_ours, "your engine"),
    (axes[1], tried, "the forgetful engine"),
]:
    for right, color in [(True, "C2"), (False, "C4")]:
        chosen = np.array([(x, y) for x, y, r in pairs if r == right])
        if len(chosen):
            if not right:  # the way to the simplest pair
                ax.plot(*chosen.T, color=color, linewidth=0.7)
            label = "right" if right else "wrong"
            ax.scatter(*chosen.T, 22, color, label=label, zorder=3)
    ax.margins(0.15)
    ax.set(title=f"{title}: {len(pairs)} tries", xlabel="x", ylabel="y")
axes[1].scatter(*tried[-1][:2], 200, "none", edgecolors="C4", linewidths=2, zorder=4)
axes[1].annotate("simplest", tried[-1][:2], (14, 8), textcoords="offset points")
axes[1].legend()
plt.show()

# %% [markdown]
# Each dot is a pair that Hypothesis tried; the line leads to the simplest one that breaks the property. Where `x` is 0, even the
# forgetful engine is right: so a few nice numbers prove little.
#
# The same test with another function, `x * y`, finds nothing at all:


# %%
@quick
@given(x=numbers, y=numbers)
def test_product(backward, x, y):
    def product(x, y):
        return x * y

    assert close(gradients(product, [x, y], backward), measured(product, [x, y]))


test_product(forgetful)
print("nothing found that breaks it")

# %% [markdown]
# In `x * y` nothing is used twice, so there is nothing to add. A test that passes says something only if it *could* have failed.
# Keep that in mind for the exercises.
#
# > **In the package:** `gradcheck` in [testing/derivatives.py](../tinygrad_edu/testing/derivatives.py) compares with measured
# > slopes. [strategies.py](../tinygrad_edu/testing/strategies.py) beside it describes tensors and shapes for Hypothesis. Every
# > operation of the package is tested so, on many shapes.
#
# ## Train something
#
# An engine is for training. Nine points lie on a wave, and a small network is to learn it. Each of its four *neurons* is one bent
# line, $\tanh(w x + b)$; the network adds them up:
#
# $$ y = c + \sum_{k=1}^{4} v_k \tanh(w_k x + b_k) $$
#
# These are thirteen numbers, which begin at random. Each step makes thirteen new Values of them (so there are no old gradients to
# set to 0), walks back from the mean squared error, and moves each number against its slope.

# %%
xs = np.linspace(-2, 2, 9)
ys = np.sin(2 * xs)
start = np.random.default_rng(1).normal(size=13)


def neurons(p, x):
    w, b, v, c = p[:4], p[4:8], p[8:12], p[12]
    y = c
    for k in range(4):
        y = y + v[k] * (w[k] * x + b[k]).tanh()
    return y


def mean_squared_error(p):
    total = 0.0
    for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
        error = neurons(p, x) - y
        total = total + error * error
    return total * (1 / len(xs))


def train(make, count, rate=0.1):
    """Losses, and the thirteen numbers before each step; `make` makes a Value of a number."""
    p, losses, path = start, [], []
    for _ in range(count):
        path.append(p)
        values = [make(number) for number in p.tolist()]
        loss = mean_squared_error(values)
        loss.backward()
        losses.append(float(loss.data))
        p = p - rate * np.array([float(value.grad) for value in values])
    return losses, path


losses, path = train(Value, 501)
print(f"loss {losses[0]:.4f} before training, {losses[500]:.4f} after 500 steps")


# %% jupyter={"source_hidden": true}
def training_pages():
    fine = np.linspace(-2.2, 2.2, 100)
    for step in (0, 20, 100, 150, 250, 500):
        figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.6))
        p = path[step]
        parts = np.tanh(np.outer(p[:4], fine) + p[4:8, None]) * p[8:12, None]
        left.plot(fine, parts.T, color="C5", linewidth=0.8)
        left.plot(fine, parts.sum(0) + p[12])
        left.scatter(xs, ys, 24, "C1", zorder=3)
        left.set(ylim=(-2.4, 2.4), title=f"after {step} steps")
        right.plot(losses)
        right.plot(step, losses[step], "o", color="C1")
        right.set(xlabel="step", title=f"loss {losses[step]:.3f}")
        plt.close(figure)  # the book shows it
        yield figure


Flipbook(training_pages(), title="four neurons learn a wave with your engine")

# %% [markdown]
# The grey curves are the four neurons, each times its $v$. Blue is their sum with $c$; it moves to the points. A network, trained
# by your own engine!
#
# Does the package do the same? `train` never asks what it computes with, so give it tensors:


# %%
def tensor(number):
    return tg.tensor(number, dtype=tg.float64, requires_grad=True)


theirs, _ = train(tensor, 30)
print("equal to ten digits:", np.allclose(losses[:30], theirs, rtol=1e-10, atol=0))

# %% [markdown]
# ## The same with arrays
#
# Single numbers are slow: each step of that training records hundreds of Values. But nothing in our engine says that `data` must
# be a single number; it may be an array. Two operations are missing: the matrix product, whose rules you know from tutorial 2, and
# a sum over all numbers, which sends the same gradient to each of them.


# %%
@op(dx=lambda g, z, x, y: g @ y.T, dy=lambda g, z, x, y: x.T @ g)
def matmul(x, y):
    return x @ y


@op(dx=lambda g, z, x: g * np.ones_like(x))
def total(x):
    return np.sum(x)


Value.__matmul__ = lambda x, y: matmul(x, y)
Value.__rmatmul__ = lambda x, y: matmul(y, x)
Value.sum = lambda x: total(x)
Value.__array_ufunc__ = None  # so that array * Value is ours, and not NumPy's

# %% [markdown]
# Now just try. `W` holds two weights in a row, `x` three samples in a column:


# %%
def try_it():
    x, W = Value(np.array([[1.0], [2.0], [3.0]])), Value(np.array([0.5, -1.0]))
    (x * W).sum().backward()
    for name, value in [("x", x), ("W", W)]:
        print(f"{name}: shape {value.data.shape}, gradient {value.grad.shape}")


try_it()

# %% [markdown]
# Forwards it works. Backwards both gradients are wrong: they have the shape of the result. NumPy used each number of `W` three
# times, once for each row (that is broadcasting, tutorial 1), and each number of `x` twice. Each use sends a part. The rules make
# tables of all these parts, which must still be added up:

# %% jupyter={"source_hidden": true}
x, W = np.array([[1.0], [2.0], [3.0]]), np.array([0.5, -1.0])
g = np.ones((3, 2))  # from the sum
figure, axes = plt.subplots(1, 2, figsize=(7, 2.7))
for ax, name, rule, axis in zip(axes, "Wx", mul.rules[::-1], [0, 1], strict=True):
    part = rule(g, x * W, x, W)
    summed = part.sum(axis)
    for (i, j), number in np.ndenumerate(part):
        box = {"facecolor": "white", "edgecolor": "C5", "boxstyle": "square,pad=0.6"}
        ax.text(j, -i, f"{number:4.1f}", ha="center", va="center", bbox=box)
    for k, number in enumerate(summed):
        end = (k, -3.5) if axis == 0 else (2.4, -k)
        begin = (k, -2.4) if axis == 0 else (1.4, -k)
        box = {"facecolor": "white", "edgecolor": "C2", "boxstyle": "square,pad=0.6"}
        number = ax.text(*end, f"{number:4.1f}", ha="center", va="center", bbox=box)
        look = {"arrowstyle": "-|>", "color": "C2", "patchB": number.get_bbox_patch()}
        ax.annotate("", end, begin, arrowprops=look)
    how = "down, to (2,)" if axis == 0 else "across, to (3, 1)"
    ax.set(xlim=(-0.8, 3), ylim=(-4, 0.6), title=f"parts for {name}, summed {how}")
    ax.axis("off")
plt.show()

# %% [markdown]
# So sum what a rule returns over the axes along which the input was repeated: those that were put in front, and those of size 1
# that were stretched.


# %%
def fit(part, shape):
    """A part, summed to the shape of the input that it is for."""
    if np.shape(part) == shape:
        return part
    front = np.ndim(part) - len(shape)
    part = np.sum(part, axis=tuple(range(front)))
    stretched = [i for i, n in enumerate(shape) if n == 1 and part.shape[i] != 1]
    return np.sum(part, axis=tuple(stretched), keepdims=True)


for shape in [(2,), (3, 1), (1, 2), ()]:
    print(f"{shape!s:7}", fit(np.ones((3, 2)), shape).tolist())


# %%
def steps(root):
    """Walk back from root by the chain rule; yields each part that arrives."""
    results = order(root)
    for z in results:
        z.grad = 0.0
    root.grad = 1.0
    for z in reversed(results):
        numbers = [x.data for x in z.inputs]
        for x, rule in zip(z.inputs, z.op.rules, strict=True):
            part = fit(rule(z.grad, z.data, *numbers), np.shape(x.data))  # new
            x.grad = x.grad + part
            yield z, x, part


try_it()

# %% [markdown]
# One line is new, and no rule had to change: broadcasting is undone here, once, and not in each rule.
#
# Now the network takes all points at once: nine samples in a column, four neurons in a row. From the same start it must go the same
# way, with far fewer operations to record:


# %%
def network_error(x, y, W, b, V, c):
    error = (x @ W + b).tanh() @ V + c - y
    return (error * error).sum() * (1 / len(y))


X, Y = xs[:, None], ys[:, None]  # columns
shapes = [(1, 4), (4,), (4, 1), (1,)]
parts = np.split(start, [4, 8, 12])
start_arrays = [p.reshape(shape) for p, shape in zip(parts, shapes, strict=True)]


def train_arrays(count, rate=0.1):
    p, losses = start_arrays, []
    for _ in range(count):
        values = [Value(array) for array in p]
        loss = network_error(X, Y, *values)
        loss.backward()
        losses.append(float(loss.data))
        p = [x - rate * v.grad for x, v in zip(p, values, strict=True)]
    return losses


single = mean_squared_error([Value(number) for number in start.tolist()])
arrays = network_error(X, Y, *map(Value, start_arrays))
print("equal losses:", np.allclose(train_arrays(100), losses[:100], rtol=1e-8))
print(f"results recorded in a step: {len(order(single))} and {len(order(arrays))}")

# %% tags=["volatile"]
for name, run in [
    ("single", lambda: train(Value, 20)),
    ("arrays", lambda: train_arrays(20)),
]:
    began = time.perf_counter()
    run()
    print(f"{name}: {(time.perf_counter() - began) / 20 * 1000:.2f} ms for a step")

# %% [markdown]
# And once more beside the package, for only three samples and two neurons, so that the picture has room: first the gradients of
# your engine, then the same function of tensors in the player.

# %%
W, b, V, c = start_arrays
small = [W[:, :2], b[:2], V[:2], c]
values = [Value(array) for array in small]
network_error(X[::4], Y[::4], *values).backward()
for name, value in zip("WbVc", values, strict=True):
    print(name, np.round(value.grad, 3).tolist())

# %%
tensors = [
    tg.tensor(array, requires_grad=True, name=name)
    for name, array in zip("WbVc", small, strict=True)
]
x, y = tg.tensor(X[::4], name="x"), tg.tensor(Y[::4], name="y")
tg.play(network_error(x, y, *tensors), title="two neurons, by the package")

# %% [markdown]
# Step to where `add` sends a gradient to `b`: three rows are summed to one. At the end, compare with the numbers of your engine.
#
# > **In the package:** `without_broadcast` in [autograd/engine.py](../tinygrad_edu/autograd/engine.py), which calls `sum_to` of
# > [ops/shape.py](../tinygrad_edu/ops/shape.py); `matmul` is in [ops/products.py](../tinygrad_edu/ops/products.py).
#
# ## How long is it?
#
# We count the lines of everything that belongs to the engine:

# %% jupyter={"source_hidden": true}
operations = [add, sub, mul, tanh, matmul, total]
functions = [op, order, steps, backward, fit, *[o.forward for o in operations]]
functions += [m for c in (Value, Op) for m in vars(c).values() if inspect.isfunction(m)]
found = {}
for function in functions:
    lines, first = inspect.getsourcelines(function)
    for i, line in enumerate(lines):
        if line.strip():
            found[function.__code__.co_filename, first + i] = line
count = len(found) + 7  # two classes' first two lines, the clock, and two of Value
print(count, "lines")
assert count < 100

# %% [markdown]
# Why is the package's engine so much longer? It also finds derivatives of derivatives, notices arrays that were changed in place,
# frees the graph while it walks, runs on GPUs, and explains errors. But its heart you have just written.
#
# ## What to take along
#
# - An engine is: a record, one rule for each input of each operation, an order, and a walk that adds up.
# - A rule knows nothing of other operations. The walk knows nothing of mathematics.
# - Born later, visited earlier: that is the order.
# - A gradient has the shape of its input: broadcasting is undone, in one place.
# - A test is worth what it catches: try it on engines that you broke on purpose.
#
# ## The hunt
#
# Thirteen engines, A to M, are broken. Each is a `backward` with **one** mistake. They lie in the next cell, folded: run it, but do
# not look; find them by testing! A check says "Right." only if your test passes on correct engines and fails on all broken ones. It
# shows the simplest inputs with which Hypothesis caught each.
#
# Your tests get an engine's `backward` as their first argument and pass it on, as `test_f` and `test_product` do.

# %% jupyter={"source_hidden": true}
import re


def engine(order=order, rules=None, add=True, fit=fit, anew=True, twice=True):
    """The walk back, with a place for each mistake."""

    def walk(root):
        results = order(root)
        for z in results:
            z.grad = 0.0 if anew else z.grad
        root.grad = 1.0
        for z in reversed(results):
            numbers = [x.data for x in z.inputs]
            own = (rules or {}).get(z.op.name, z.op.rules)
            done = set()
            for x, rule in zip(z.inputs, own, strict=True):
                if x in done and not twice:
                    continue
                done.add(x)
                part = fit(rule(z.grad, z.data, *numbers), np.shape(x.data))
                x.grad = x.grad + part if add else part

    return walk


def breadth_first(root):
    found = [root]
    for value in found:
        found += [x for x in dict.fromkeys(value.inputs) if x.op and x not in found]
    return found[::-1]


def impatient(root):
    for z in order(root):
        z.grad = 0.0
    root.grad = 1.0

    def hand_on(z):
        numbers = [x.data for x in z.inputs]
        for x, rule in zip(z.inputs, z.op.rules if z.op else (), strict=True):
            x.grad = x.grad + fit(rule(z.grad, z.data, *numbers), np.shape(x.data))
            hand_on(x)

    hand_on(root)


def recorded(root):
    """Correct, too: gradients in a dict, until they are complete."""
    grads = {root: 1.0}
    for z in reversed(order(root)):
        g = grads.pop(z)
        numbers = [x.data for x in z.inputs]
        for x, rule in zip(z.inputs, z.op.rules, strict=True):
            grads[x] = grads.get(x, 0.0) + fit(
                rule(g, z.data, *numbers), np.shape(x.data)
            )
    for x, g in grads.items():
        x.grad = x.grad + g


def forgets_leaves(root):
    for z in order(root):
        for x in z.inputs:
            x.grad = 0.0
    backward(root)


def visits_once(root):
    new = [z for z in order(root) if not hasattr(z, "visited")]
    for z in new:
        z.visited = True
    engine(order=lambda _: new)(root)


def only_front(part, shape):
    return np.sum(part, axis=tuple(range(np.ndim(part) - len(shape))))


def drops_axes(part, shape):
    fitted = fit(part, shape)
    kept = [
        n for n, m in zip(shape, np.shape(part)[-len(shape) :], strict=False) if n == m
    ]
    return fitted.reshape(kept) if np.size(part) != np.size(fitted) else fitted


def average(part, shape):
    return fit(part, shape) * (np.prod(shape) / np.size(part))


def example(error):
    """The numbers with which Hypothesis broke a test."""
    notes = "\n".join(getattr(error, "__notes__", []))
    found = re.findall(r"^    (\w+)=(.*),$", notes, re.MULTILINE)
    return ", ".join(f"{name} = {value}" for name, value in found if name != "backward")


def judge(test, broken):
    """Assert that a test passes on correct engines and fails on each broken one."""
    assert getattr(test, "is_hypothesis_test", False), (
        "leave @quick and @given above your test: Hypothesis shall choose the inputs."
    )
    used = []

    def ours(root):
        used.append(root)
        backward(root)

    for correct in (ours, recorded):
        try:
            test(correct)
        except AssertionError as error:
            raise AssertionError(
                f"your test fails on a correct engine, with {example(error)}. Is what "
                f"it says true? (Measured slopes are not exact; close allows for that.) {error}"
            ) from None
    assert used, (
        "your test never calls the backward that it is given. "
        "Pass it on, as in gradients(f, [x, y], backward)."
    )
    for name, (walk, hint) in broken.items():
        try:
            test(walk)
        except Exception as error:  # a broken engine may also crash
            print(f"engine {name}: caught, with {example(error)}")
        else:
            raise AssertionError(
                f"engine {name} is broken, but passes your test. {hint}"
            )


# %% [markdown]
# ## Exercise 1: engines A to E
#
# Engines for single numbers. `test_product` from above passes on all five, and `test_f` misses two. Write a test that catches them
# all, by choosing a better function. Our operations are `+`, `-`, `*` and `.tanh()`.


# %% tags=["exercise"]
@quick
@given(x=numbers, y=numbers)
def test_engine(backward, x, y):
    raise NotImplementedError  # your code here


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    judge(
        test_engine,
        {
            "A": (engine(add=False), "Is anything used twice in what you compute?"),
            "B": (
                engine(twice=False),
                "What if an operation gets the same Value as both of its inputs?",
            ),
            "C": (
                engine(order=breadth_first),
                "Is a result used twice, and once of it by way of another result?",
            ),
            "D": (impatient, "Is a result (not only a leaf) used twice?"),
            "E": (
                engine(rules={"tanh": [lambda g, z, x: g * (1 - x * x)]}),
                "Which operations have you tried? There are four.",
            ),
        },
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# All four operations, `h` used twice in the same operation, and then once more with a detour:
#
# ```python
# @quick
# @given(x=numbers, y=numbers)
# def test_engine(backward, x, y):
#     def g(x, y):
#         h = (x - y).tanh()
#         u = h * h + x
#         return h * u
#
#     assert close(gradients(g, [x, y], backward), measured(g, [x, y]))
# ```
#
# A replaces gradients instead of adding; B counts `h * h` once; C goes breadth first; D hands on at once and repeats itself; E has
# a wrong rule for tanh, $1 - x^2$ in place of $1 - z^2$, which is nearly right for small $x$.
#
# </details>

# %% [markdown]
# ## Exercise 2: engines F to J
#
# Now arrays. F to I do something wrong with broadcasting, J with the matrix product. Hypothesis gives you two shapes that fit
# together, such as `(3,)` and `(2, 1)`, and a seed for random numbers; `x, y = two_arrays(shapes, seed)` makes arrays of them.
# `gradients` takes arrays, too, and `measured_arrays` is `measured` for arrays. Your function must end in a single number, so sum
# it up; and compare the gradients one array at a time (`zip`), for `close` wants equal shapes.


# %%
def two_arrays(shapes, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def measured_arrays(f, inputs, eps=1e-5):
    """The slopes of f, one for each number of each array."""
    slopes = [np.zeros(np.shape(x)) for x in inputs]
    for x, slope in zip(inputs, slopes, strict=True):
        for place in np.ndindex(x.shape):
            kept = x[place]
            x[place] = kept + eps
            up = f(*map(Value, inputs)).data
            x[place] = kept - eps
            slope[place] = (up - f(*map(Value, inputs)).data) / (2 * eps)
            x[place] = kept
    return slopes


# %% tags=["exercise"]
@quick
@given(
    shapes=broadcastable_shapes(2, max_dims=2, min_side=1, max_side=3),
    seed=st.integers(0, 99),
)
def test_arrays(backward, shapes, seed):
    raise NotImplementedError  # your code here


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    judge(
        test_arrays,
        {
            "F": (engine(fit=lambda part, shape: part), "Does it broadcast at all?"),
            "G": (engine(fit=only_front), "Which shapes did you try?"),
            "H": (engine(fit=average), "Compare with measured slopes."),
            "I": (
                engine(fit=drops_axes),
                "Its numbers are right. What else must a gradient be like?",
            ),
            "J": (
                engine(rules={"matmul": [matmul.rules[0], lambda g, z, x, y: g.T @ x]}),
                "Have you tried @?",
            ),
        },
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# @quick
# @given(
#     shapes=broadcastable_shapes(2, max_dims=2, min_side=1, max_side=3),
#     seed=st.integers(0, 99),
# )
# def test_arrays(backward, shapes, seed):
#     x, y = two_arrays(shapes, seed)
#     A, B = two_arrays([(2, 3), (3, 4)], seed)
#     inputs = [x, y, A, B]
#
#     def g(x, y, A, B):
#         return (x * y).sum() + (A @ B).sum()
#
#     for found, slopes in zip(gradients(g, inputs, backward), measured_arrays(g, inputs)):
#         assert np.shape(found) == slopes.shape
#         assert close(found, slopes)
# ```
#
# F undoes nothing; G sums over the axes in front, but not over stretched ones; H takes means instead of sums; I sums, but lets
# stretched axes disappear; J forgets to transpose. Without the first `assert` I would get away: `np.allclose` broadcasts, too.
#
# </details>

# %% [markdown]
# ## Exercise 3: engines K to M
#
# A property need not compare with measured slopes. These three engines are right the first time; something is wrong when `backward`
# is called again. What do you know about the `grad` of leaves after **two** walks back? (Make the Values yourself, with `Value(x)`:
# `gradients` makes new ones each time.)


# %% tags=["exercise"]
@quick
@given(x=numbers, y=numbers)
def test_twice(backward, x, y):
    raise NotImplementedError  # your code here


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    judge(
        test_twice,
        {
            "K": (forgets_leaves, "What happens to what is in a leaf's grad already?"),
            "L": (
                engine(anew=False),
                "Its leaves are treated well. What about results between leaf and loss?",
            ),
            "M": (visits_once, "Call backward twice for one loss."),
        },
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# Leaves add up, so two walks from one loss leave twice the gradient of one:
#
# ```python
# @quick
# @given(x=numbers, y=numbers)
# def test_twice(backward, x, y):
#     a, b = Value(x), Value(y)
#     loss = f(a, b)
#     backward(loss)
#     once = np.array([a.grad, b.grad])
#     backward(loss)
#     assert close([a.grad, b.grad], 2 * once)
# ```
#
# K forgets what leaves had; L lets results keep their old gradients and hands them on once more; M never visits a result again.
# L's mistake is easily made: an engine that adds to every `.grad`, of leaves and results alike, has it. [micrograd's
# `backward`](https://github.com/karpathy/micrograd/blob/master/micrograd/engine.py) is written so; whoever calls it once for each
# loss never notices.
#
# </details>

# %% [markdown]
# ## The code behind it
#
# - [`Tensor`](../tinygrad_edu/tensor.py), [`op`](../tinygrad_edu/op.py): the record
# - [`autograd/engine.py`](../tinygrad_edu/autograd/engine.py): order and walk; [`autograd/gradients.py`](../tinygrad_edu/autograd/gradients.py):
#   `backward`, `grad` and `steps`
# - [`ops/arithmetic.py`](../tinygrad_edu/ops/arithmetic.py), [`ops/products.py`](../tinygrad_edu/ops/products.py),
#   [`sum_to`](../tinygrad_edu/ops/shape.py): rules
# - [`testing`](../tinygrad_edu/testing/__init__.py): `gradcheck` and strategies for Hypothesis
#
# **Back:** [2. Backprop, one step at a time](02_backprop_step_by_step.ipynb). **Next:** [4. The perceptron and linear
# classifiers](04_perceptron_and_linear_classifiers.ipynb).
