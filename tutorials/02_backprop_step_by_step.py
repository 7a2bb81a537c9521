# %% [markdown]
# # 2. Backprop, one step at a time
#
# **A network has a million weights and one loss. How does a single walk back tell every weight which way to move?**
#
# In [tutorial 1](01_tensors_and_dynamic_graphs.ipynb) a graph grew while your code ran. Here we walk it backwards:
# first on a chain of two operations, then where a tensor is used twice, then in the wrong order on purpose. At the end
# you check the gradients without trusting anybody, and see the mistake that everybody makes once. It takes 20 to 30
# minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.exercises import check

plt.style.use("tinygrad_edu.figures")

# %% [markdown]
# ## A slope, measured
#
# A small model predicts `w * x + b`; the truth is 7, and the loss is the squared error. If `w` grows a little, what
# does the loss do?


# %%
def loss_of(w, x=3.0, b=1.0, truth=7.0):
    return (w * x + b - truth) ** 2


tiny = 0.001
print("loss at w = 1:    ", loss_of(1.0))
print("loss at w = 1.001:", round(loss_of(1.0 + tiny), 6))
print("slope:            ", round((loss_of(1.0 + tiny) - loss_of(1.0)) / tiny, 3))

# %% [markdown]
# About -18: if `w` grows by 0.001, the loss falls by about 0.018. So `w` should grow. That slope, taken to the limit of
# an ever smaller step, is the derivative of the loss with respect to `w`, written $\partial L / \partial w$, and that
# of all weights together is the *gradient*.
#
# Measuring works for every function, but it runs the whole model once more **for each weight**. For a million weights
# that is a million runs for a single step of training. Backprop gets all the slopes at the cost of a few runs, however
# many weights there are. The trick is to take the function apart.
#
# ## The chain rule
#
# Each operation by itself is easy. Start with a chain of two:

# %%
x = tg.tensor(2.0, requires_grad=True)
y = 3 * x
z = y.square()
tg.draw(z)

# %% [markdown]
# The left box of a card is the value, the right one, in green, the gradient: how fast `z` grows when this number grows.
# Read it from the right:
#
# - `z` compared with itself: 1.
# - If `y` grows by a little, `z = y²` grows 2·y = 12 times as much.
# - If `x` grows by a little, `y` grows 3 times as much, and so `z` grows 12 · 3 = 36 times as much.
#
# $$ \frac{\partial z}{\partial x} = \frac{\partial z}{\partial y} \cdot \frac{\partial y}{\partial x} = 12 \cdot 3 $$
#
# **Along a path, slopes multiply.** That is the whole chain rule. Each operation contributes one factor, and to know
# it, it need only look at its own inputs. `step` prints the walk line by line (in a terminal, the same command lets you
# step with the arrow keys):

# %%
tg.step(z)

# %% [markdown]
# Read the backward part as a relay. A tensor waits until its gradient is *complete*. Then the operation that made it
# *sends* to each input: the gradient, times the local slope.
#
# ## Every operation knows one rule
#
# Where do the factors come from? Each operation of the package is declared together with them. This is `mul`, without
# its docstring, from [ops/arithmetic.py](../tinygrad_edu/ops/arithmetic.py):
#
# ```python
# @op(dtype="common", dx=lambda g, z, x, y: g * y, dy=lambda g, z, x, y: g * x)
# def mul(x, y):
#     return x * y
# ```
#
# `g` is the gradient that arrives at the result `z`. The rule `dx` says what `x` gets: `g * y`, for if `x` grows by 1,
# `x·y` grows by `y`. Nothing here knows anything of networks or losses. There is one such line for each of the
# package's operations, and [autograd/engine.py](../tinygrad_edu/autograd/engine.py) walks from one to the next.
#
# Now the small model of the beginning, with tensors. Click on the picture and step through it with **→**. At each step
# the panels show the rule, the numbers put into it, and the line of your code.

# %%
x = tg.tensor(3.0)
w = tg.tensor(1.0, requires_grad=True)
b = tg.tensor(1.0, requires_grad=True)

product = w * x
prediction = product + b
error = prediction - 7
loss = error.square()
tg.play(loss)

# %% [markdown]
# Both slopes come out of one walk, and -18 is what we measured. Notice what they share: everything up to `prediction`
# was computed once, for both. That sharing is why backprop is fast.
#
# ## Used twice: gradients add up
#
# So far every tensor was used once. Let `x` take part twice:

# %%
x = tg.tensor(3.0, requires_grad=True)
y = x * x + x
y.backward()
tg.draw(y)

# %% [markdown]
# Three arrows leave `x`: two into `x * x`, one into the sum. If `x` grows, all three uses feel it, and their effects on
# `y` add up. `explain` shows every path:

# %%
tg.explain(x)

# %% [markdown]
# **Along a path slopes multiply, and over all paths they add.** That one sentence is backprop. In code the adding is
# `x.grad += part`: each use sends a *part* of the gradient.
#
# ## Why the order matters
#
# When may a tensor hand its gradient on? Only when all parts have arrived. It sounds obvious, and it is easy to get
# wrong. Look at `h` here:

# %% tags=["cover"]
a = tg.tensor(1.0, requires_grad=True)
h = 3 * a
u = h + 1
loss = h * u
tg.draw(loss)

# %% [markdown]
# `h` is used twice, and the two uses lie at different distances from the loss. The direct arrow from `h` to `loss`
# brings back `u` = 4. The detour over `u` brings back `h` = 3, but later. Together that makes 7, and `a` gets 7 · 3 =
# 21.
#
# Two walks that come to mind first:
#
# - **Recursive**: a tensor that gets a part hands on its gradient at once.
# - **Breadth first**: first the inputs of the loss, then their inputs, and so on; each tensor once.
#
# Both use the right rules. Press **Why this order?** in the player: it runs such a walk beside the right one, step by
# step, and marks the place where it goes wrong. The buttons at the right choose the walk.

# %%
tg.play(loss)

# %% [markdown]
# In the end `a` should have 21.
#
# - Breadth first gives it 12. It visits `h` too early: `h` hands on 4 · 3, and the part that comes later is left lying.
# - Recursive gives it 33. `h` hands on 4 · 3 = 12, and when the second part comes, hands on the whole 7 · 3 = 21 once
#   more.
#
# The cure is to visit a tensor only after everything that was made from it: that is *reverse topological order*. It is
# easy to have: a tensor is always made after its inputs, so it is enough to go back in the order of creation. These are
# the visits of the real walk:

# %%
for step in tg.autograd.steps(loss):
    if step.kind == "visit":
        print("visit", step.node.op.name, "with the gradient", step.after)

# %% [markdown]
# On a graph where no tensor is used twice, all three orders are right. That is why the mistake survives simple tests.
# Real networks use tensors twice all the time: in a recurrent network each weight is used at every step, in a residual
# network every layer's input goes two ways.
#
# ## The same with matrices
#
# Nothing changes when a card holds many numbers. In `y = W @ x` each number of `W` is one weight, and meets one number
# of `x`. All of these slopes together are one matrix product, so one rule does for all of them:
#
# $$ \frac{\partial L}{\partial W} = g \, x^\top \qquad \frac{\partial L}{\partial x} = W^\top g $$
#
# You need not learn this by heart. The shapes leave little choice: a gradient has the shape of its tensor.

# %%
W = tg.tensor([[1.0, -2.0], [0.5, 1.0]], requires_grad=True)
x = tg.tensor([[3.0], [1.0]], requires_grad=True)
y = W @ x
loss = (y * y).sum()
loss.backward()
tg.draw(loss)

# %%
g = 2 * y.detach()  # what arrives at y, as y is multiplied by itself
print(g @ x.detach().T)
print(W.grad)

# %% [markdown]
# To see the single numbers inside the matrix product, open it up: `zoom` draws the graph of the multiplications and
# additions that it stands for.

# %%
tg.draw(tg.see.zoom(y, loss))

# %% [markdown]
# ## Trust nobody: check numerically
#
# A wrong rule does not crash. It trains badly. So every rule is compared with a measured slope. Better than one step
# forwards is one step to each side:
#
# $$ \frac{\partial f}{\partial x} \approx \frac{f(x + \varepsilon) - f(x - \varepsilon)}{2 \varepsilon} $$
#
# How small should $\varepsilon$ be? Too large, and the curve bends between the two points. Too small, and the two
# values agree in nearly all their digits, so that the difference is mostly rounding. We try all sizes, for the slope of
# x·x·x at 1, which is 3:

# %%
steps = 10.0 ** np.linspace(-12, 0, 61)
figure, axes = plt.subplots()
for dtype in ("float64", "float32"):
    errors = []
    for eps in steps:
        points = tg.tensor([1 + eps, 1 - eps], dtype=dtype)
        up, down = (points * points * points).tolist()
        errors.append(abs((up - down) / (2 * eps) - 3) + 1e-13)
    axes.loglog(steps, errors, label=dtype)
axes.set(xlabel="ε", ylabel="error of the measured slope")
axes.legend()
plt.show()

# %% [markdown]
# Each curve is a valley: rounding on the left, bending on the right. With `float32` even the best ε gives only five
# digits or so; with `float64`, ε = 0.00001 gives ten. That is why `gradcheck`, which compares each element of each
# gradient with such a quotient, insists on `float64`:

# %%
from tinygrad_edu.testing import gradcheck

tg.manual_seed(0)
W = tg.randn(2, 3, dtype=tg.float64, requires_grad=True)
x = tg.randn(3, 1, dtype=tg.float64, requires_grad=True)
gradcheck(lambda W, x: (W @ x).tanh(), (W, x))

# %% [markdown]
# It finds mistakes, too. Here is a square with a factor forgotten in its rule:


# %%
@tg.op(dx=lambda g, z, x: g * x)  # should be g * 2 * x
def bad_square(x):
    """z = x²;  ∂x = g·x"""
    return x * x


try:
    gradcheck(bad_square, tg.tensor([1.0, 3.0], dtype=tg.float64, requires_grad=True))
except RuntimeError as error:
    print(error)

# %% [markdown]
# Half of what it should be: that is the forgotten 2. (The numbers are not 3 and 6 because `gradcheck` lets each element
# of a result count with another, random weight, so that mistakes cannot cancel.)
#
# Every operation of this package passes this check in the tests, on many shapes.
#
# ## Forgetting `zero_grad`
#
# `backward` **adds** to `.grad`, it does not replace. That is the same `+=` as before: a tensor used in two losses gets
# the sum. But in a training loop each step wants its own gradient, so the old one must go first.
#
# We look for the lowest point of a parabola, `(w - 3)²`, walking downhill: `w` moves against its slope, a tenth of it
# each time. Once properly, once forgetting.


# %%
def walk(forget, steps=40):
    w = tg.tensor(0.0, requires_grad=True)
    path = []
    for _ in range(steps):
        path.append(w.item())
        if not forget:
            w.grad = None  # what optimizer.zero_grad() does for all weights
        loss = (w - 3) ** 2
        loss.backward()
        with tg.no_grad():
            w -= 0.1 * w.grad
    return path


figure, axes = plt.subplots()
axes.plot(walk(forget=False), ".-", label="with zero_grad")
axes.plot(walk(forget=True), ".-", label="forgotten")
axes.axhline(3, color="C5", linewidth=1, linestyle="--")
axes.set(xlabel="step", ylabel="w")
axes.legend()
plt.show()

# %% [markdown]
# The forgetful walk runs past the goal and swings: old slopes still push it when the new ones already say "back". It is
# not even an error message, which is what makes it hard to find. When something else than the latest loss is in
# `.grad`, `explain` notices:

# %%
w = tg.tensor(0.0, requires_grad=True)
for _ in range(2):
    loss = (w - 3) ** 2
    loss.backward()
tg.explain(w)

# %% [markdown]
# ## What to take along
#
# - A gradient says how fast the loss grows when this number grows. It has the shape of its tensor.
# - Along a path slopes multiply, over all paths they add.
# - Each operation brings one rule for each input; the engine only walks.
# - A tensor hands its gradient on when all parts are in: reverse topological order.
# - Measured slopes, in `float64`, tell whether a rule is right.
# - `backward` adds to `.grad`: zero it before each step.
#
# ## Exercise 1: by hand
#
# Let `L = (w * x + b) * w` with w = 2, x = 3, b = 1. Find the slopes of `L` for `w`, `x` and `b` on paper. `w` is used
# twice!

# %% tags=["exercise"]
dw, dx, db = ..., ..., ...

# %% tags=["check"]
with check(dw, dx, db):
    w, x, b = (tg.tensor(v, requires_grad=True) for v in (2.0, 3.0, 1.0))
    ((w * x + b) * w).backward()
    assert db == b.grad, f"db is not {db}: b is added, then multiplied by w."
    assert dx == x.grad, (
        f"dx is not {dx}: the path goes through w * x, and then through ... * w."
    )
    assert dw not in (6, 7), f"{dw} is the part of one use of w. There is another one."
    assert dw == w.grad, f"dw is not {dw}: add the parts of both uses of w."

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# With s = w·x + b = 7 and L = s·w: s gets w = 2. So b gets 2 · 1, x gets 2 · w = 4, and w gets 2 · x = 6 by way of s,
# and s = 7 directly.
#
# ```python
# dw, dx, db = 6 + 7, 4, 2
# ```
#
# Look at it: `tg.draw((w * x + b) * w)`.
#
# </details>

# %% [markdown]
# ## Exercise 2: an order that waits
#
# Write `order(loss)`: a list of all tensors of the graph, each of them once, and each **after** its inputs. Walked from
# its end, that is the order for backward. Use only `tensor.inputs`, which is empty for leaves. (An input may also be a
# plain number: leave it out; `isinstance(x, tg.Tensor)` tells.)


# %% tags=["exercise"]
def order(loss):
    raise NotImplementedError  # your code here


# %% tags=["check"]
with check():
    a = tg.tensor(1.0, requires_grad=True)
    b = tg.tensor(1.0, requires_grad=True)
    h = 3 * a
    u = h + 1
    v = h * u
    loss = v + b
    found = list(order(loss))
    tensors = {"a": a, "b": b, "h": h, "u": u, "v": v, "loss": loss}
    names = {id(tensor): name for name, tensor in tensors.items()}
    there = {id(tensor) for tensor in found}
    assert id(a) not in there or id(b) in there, (
        "b is missing. It has the same number as a: == and `in` compare numbers."
    )
    places = {}
    for i, tensor in enumerate(found):
        assert isinstance(tensor, tg.Tensor), (
            f"{tensor!r} is no tensor: leave numbers out."
        )
        name = names.get(id(tensor), "another tensor")
        assert id(tensor) not in places, f"{name} is in the list twice."
        places[id(tensor)] = i
        for source in tensor.inputs:
            early = isinstance(source, tg.Tensor) and id(source) not in places
            assert not early, f"{name} comes before its input {names[id(source)]}."
    missing = [name for key, name in names.items() if key not in places]
    assert not missing, f"{', '.join(missing)} is missing."

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# Before a tensor is appended, everything it was made from is:
#
# ```python
# def order(loss):
#     found = []
#
#     def visit(tensor):
#         if any(tensor is other for other in found):
#             return
#         for source in tensor.inputs:
#             if isinstance(source, tg.Tensor):
#                 visit(source)
#         found.append(tensor)
#
#     visit(loss)
#     return found
# ```
#
# (`tensor in found` would not do: `==` compares the numbers of tensors. A `set` would be faster than a list.)
#
# </details>

# %% [markdown]
# ## Exercise 3: a training loop that does not train
#
# This loop should fit a line to three points. It has two mistakes, and `w` runs away from 2, where it should go:

# %%
xs = tg.tensor([1.0, 2.0, 3.0])
ys = tg.tensor([3.0, 5.0, 7.0])  # 2 * xs + 1


def broken(steps, rate=0.1):
    w = tg.tensor(0.0, requires_grad=True)
    b = tg.tensor(0.0, requires_grad=True)
    for _ in range(steps):
        loss = ((w * xs + b - ys) ** 2).mean()
        loss.backward()
        with tg.no_grad():
            w += rate * w.grad
            b += rate * b.grad
    return w, b


for steps in (1, 2, 3, 4):
    w, b = broken(steps)
    print(f"after {steps} steps  w = {w.item():8.1f}  b = {b.item():8.1f}")

# %% [markdown]
# Write it again, as `train`, without the mistakes.


# %% tags=["exercise"]
def train(steps, rate=0.1):
    raise NotImplementedError  # your code here


# %% tags=["check"]
with check():
    w, b = train(steps=1)
    assert w.item() != broken(steps=1)[0].item(), (
        "after one step w is where the broken loop had it: the slope says where the loss grows."
    )
    assert abs(w.item() - 2.2667) < 0.001, (
        f"after one step w should be 2.267, not {w.item():.3f}."
    )
    w, b = train(steps=2)
    assert abs(w.item() - 2.0178) < 0.001, (
        f"the first step is right; after the second w should be 2.018, not {w.item():.3f}. "
        "Which gradients does the second step use?"
    )
    assert abs(b.item() - 0.8933) < 0.001, (
        f"w is right after two steps; b should be 0.893, not {b.item():.3f}. Has its old gradient gone, too?"
    )
    w, b = train(steps=300)
    assert abs(w.item() - 2) < 0.01, (
        f"after 300 steps w should be near 2, not {w.item():.3f}."
    )
    assert abs(b.item() - 1) < 0.01, (
        f"after 300 steps b should be near 1, not {b.item():.3f}."
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# The weights must move *against* their slopes, and the old gradients must go:
#
# ```python
# def train(steps, rate=0.1):
#     w = tg.tensor(0.0, requires_grad=True)
#     b = tg.tensor(0.0, requires_grad=True)
#     for _ in range(steps):
#         loss = ((w * xs + b - ys) ** 2).mean()
#         w.grad = b.grad = None
#         loss.backward()
#         with tg.no_grad():
#             w -= rate * w.grad
#             b -= rate * b.grad
#     return w, b
# ```
#
# The loop that you will use from now on does the same: `optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`.
#
# </details>

# %% [markdown]
# **Back:** [1. Tensors and dynamic graphs](01_tensors_and_dynamic_graphs.ipynb). **Next:** [3. Write your own
# engine](03_write_your_own_engine.ipynb). All tutorials: [the map of the course](README.md).
