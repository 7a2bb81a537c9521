# %% [markdown]
# # 1. Tensors and dynamic graphs
#
# **Your program computes a number. Which of its steps led there, and who wrote them down?**
#
# A library that is to find derivatives must know every step of the computation. This one finds out in the simplest way:
# each result remembers what it was made from. You write ordinary Python, line by line, and a graph grows behind your
# back.
#
# After this tutorial you can say what a tensor holds, draw the graph of your own code, run it backwards once, and use
# shapes, broadcasting and dtypes without surprises. It takes 20 to 30 minutes. Run each cell (Shift+Enter), then change
# it and run it again.

# %%
import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.exercises import check

plt.style.use("tinygrad_edu.figures")

# %% [markdown]
# ## A tensor is an array that remembers
#
# At first sight a tensor is a NumPy array: numbers in rows and columns, with a shape and one type for all of them.

# %%
x = tg.tensor([[1.0], [2.0]])
print(x)
print("shape", x.shape, " dtype", x.dtype)
print(2 * x + 1)

# %% [markdown]
# The difference begins with `requires_grad=True`. It says: *from here on, remember what is done with this tensor.*

# %%
w = tg.tensor([[3.0, -1.0]], requires_grad=True)
y = w @ x
print(y)

# %% [markdown]
# `@` is the matrix product: 3·1 - 1·2 = 1. New is `grad_fn=<MatmulBackward>`: the result knows that a matrix product
# made it. Two fields hold that memory, and you can look at them:

# %%
print("made by:  ", y.op.name)
print("made from:", y.inputs[0] is w, y.inputs[1] is x)
print("w itself was made by:", w.op)

# %% [markdown]
# There is nothing else. A tensor that you made yourself has no `op`: it is a *leaf*. Every other one points back to its
# inputs, they point to theirs, and so on down to the leaves. **That is the graph.** No list of it is kept anywhere; it
# hangs on the result, and is forgotten with it. (In the code: the fields are in [tensor.py](../tinygrad_edu/tensor.py),
# and every operation fills them in when it is called, in [op.py](../tinygrad_edu/op.py).)
#
# ## The graph grows line by line
#
# Here is the example that made such graphs famous, one step of a recurrent network. It mixes a new input `x` with what
# it remembers, `h`:
#
# $$ h_{next} = \tanh(W_x x + W_h h) $$
#
# We write it one operation a line and draw the graph after each. First the two leaves and their product:

# %%
W_x = tg.tensor([[0.5, -0.1], [-0.3, 0.4], [0.2, 0.6]], requires_grad=True)
W_h = tg.tensor(
    [[0.1, 0.7, -0.4], [0.8, 0.2, 0.3], [-0.6, 0.5, 0.9]], requires_grad=True
)
x = tg.tensor([[1.0], [2.0]])
h = tg.tensor([[0.5], [-1.0], [0.0]])

i2h = W_x @ x  # input to hidden
tg.draw(i2h, gradients=False)

# %% [markdown]
# Each card is a tensor: its name, the operation that made it, its numbers (blue above 0, orange below) and its shape.
# An arrow says "was used for". Red arrows will carry gradients later. The arrow from `x` is grey: `x` is data, and
# nobody asked for its gradient.
#
# The next line knows nothing of this one. It makes a small graph of its own:

# %%
h2h = W_h @ h  # hidden to hidden
tg.draw(h2h, gradients=False)

# %% [markdown]
# The third line adds the two results, and so joins the two graphs. Nobody declared that; the sum simply points to both.

# %%
total = i2h + h2h
tg.draw(total, gradients=False)

# %% [markdown]
# The last line bends every number into the range from -1 to 1:

# %% tags=["cover"]
h_next = total.tanh()
tg.draw(h_next, gradients=False)

# %% [markdown]
# Because the graph hangs on the tensors, you can walk it yourself with a few lines of Python:


# %%
def show(tensor, depth=0):
    print("    " * depth + (tensor.op.name if tensor.op else "leaf"), tensor.shape)
    for source in tensor.inputs:
        show(source, depth + 1)


show(h_next)

# %% [markdown]
# ## Backwards: `backward(ones)`
#
# How would `h_next` change if one weight changed a little? That is what `backward` finds out. It walks the graph from
# the result to the leaves, and at every operation asks: if my result should grow, how much do my inputs contribute?
#
# `h_next` has three numbers, so we must say how much each of them counts. We let each count 1:

# %%
h_next.backward(tg.ones(3, 1))
print(W_h.grad)

# %% [markdown]
# `W_h.grad` has the shape of `W_h`, always. Read one number of it as a slope: if `W_h[0, 0]` grows by a tiny amount,
# the sum of `h_next` grows by `W_h.grad[0, 0]` times as much. Check that by doing it:

# %%
tiny = 0.001
W_moved = W_h.detach().clone()  # the same numbers, without the memory
W_moved[0, 0] += tiny
moved = (W_x @ x + W_moved @ h).tanh()
print(f"slope measured:    {(moved.sum() - h_next.sum()).item() / tiny:.4f}")
print(f"slope by backward: {W_h.grad[0, 0].item():.4f}")

# %% [markdown]
# The third column of `W_h.grad` is 0. Look at `h` to see why: its third number is 0, so whatever stands in that column
# of `W_h` is multiplied by 0.
#
# Now watch it happen. Press **▶**, or click on the picture and step with the arrow keys **→** and **←**: first the four
# lines run forwards, then the gradient goes back along the red arrows. The panel below the picture shows the line of
# your code and the numbers. *(You see only a still picture? Run the cell: pages that play are shown in notebooks that
# you ran yourself.)*

# %%
tg.play(h_next, gradient=tg.ones(3, 1))

# %% [markdown]
# How the walk back works, and why in this order, is the subject of [tutorial 2](02_backprop_step_by_step.ipynb). Here
# we stay with the graph.
#
# ## A different graph for every input
#
# Since the graph records what *happened*, loops and ifs need no special treatment. Let the same kind of network, with a
# single weight, read a sequence, as long as it likes:

# %%
w = tg.tensor(2.0, requires_grad=True)


def read(sequence):
    h = tg.tensor(0.5)
    for number in sequence:
        h = (w * h + number).tanh()
    return h


tg.draw(read([-1.5]), direction="TB")

# %% [markdown]
# One number, one round of the loop. ⊙ is `*`, element by element. What you gave no name is called `v2`, `v3` and so on;
# what has the same name, `h`, is numbered. The boxes on the right of a card are gradients, green above 0 and purple
# below: for a single number `draw` runs backward by itself.
#
# Three numbers make three rounds:

# %%
tg.draw(read([-1.5, 0.5, 1.0]), direction="TB")

# %% [markdown]
# The same function, another graph. The same `w` is used in every round, so three red arrows leave it, and its gradient
# is a sum of three parts.
#
# An `if` is just as simple. This function has two pieces:


# %%
def bend(x):
    if x > 0:
        return x * x
    return -x


tg.draw(bend(tg.tensor(1.5, requires_grad=True)))

# %%
tg.draw(bend(tg.tensor(-1.5, requires_grad=True)))

# %% [markdown]
# The branch that was not taken left no trace: it is not in the graph, and costs nothing. Ask for the slope at many
# points, and you see that each one came from the piece on which its point lies:

# %%
points = np.linspace(-2, 2, 81)
slopes = []
for point in points:
    p = tg.tensor(point, requires_grad=True)
    bend(p).backward()  # a graph of its own for each point
    slopes.append(p.grad.item())

figure, axes = plt.subplots()
axes.plot(points, [bend(point) for point in points], label="bend(x)")
axes.plot(points, slopes, ".", label="its slope, from backward()")
axes.set(xlabel="x")
axes.legend()
plt.show()

# %% [markdown]
# ## When nothing need be remembered
#
# Memory costs room and a little time. To use a trained network, or to change a weight by hand, switch the record off:

# %%
with tg.no_grad():
    silent = w * 3
print(silent, "made by:", silent.op)

# %% [markdown]
# ## Shapes
#
# Most mistakes with tensors are mistakes with shapes. The shape lists the sizes from the outside in: `(2, 3)` is 2 rows
# of 3 numbers.

# %%
table = tg.arange(6.0).reshape(2, 3)
print(table)
print("sum of all:  ", table.sum())
print("down, dim=0: ", table.sum(dim=0))
print("across, dim=1:", table.sum(dim=1))

# %% [markdown]
# `dim` is the direction that *disappears*: summing over dim 0, of size 2, turns the shape `(2, 3)` into `(3,)`. With
# `keepdim=True` it stays, with size 1:

# %%
print(table.sum(dim=1).shape, table.sum(dim=1, keepdim=True).shape)

# %% [markdown]
# What does not fit is refused, and the message says what was given and what would fit. Read it to the end before you
# change anything:

# %%
try:
    table @ tg.ones(2, 4)
except RuntimeError as error:
    print(error)

# %% [markdown]
# ## Broadcasting
#
# `table + 10` works though 10 has no shape at all: the 10 is used for every element. That is broadcasting. The rule has
# two parts:
#
# 1. Write the shapes below each other, aligned at the **right**. Missing sizes count as 1.
# 2. In each column the sizes must be equal, or one of them is 1. A 1 is stretched to the other size.
#
# ```text
# column   (3, 1)           (2, 3)
# row      (   4)           (   2)
#          ------           ------
# result   (3, 4)           3 against 2: refused
# ```

# %%
column = tg.tensor([[1.0], [2.0], [3.0]], requires_grad=True)
row = tg.tensor([10.0, 20.0, 30.0, 40.0], requires_grad=True)
grid = column + row
loss = grid.sum()
tg.draw(loss)

# %% [markdown]
# Look at the gradients, in green. Each element of `grid` counts 1. But each number of `column` was used for the 4
# elements of a row of `grid`, so its gradient is 4; each number of `row` was used 3 times. **What forward stretches,
# backward sums up.** `explain` says it in words:

# %%
loss.backward()
tg.explain(row)

# %% [markdown]
# ## dtypes
#
# All numbers of a tensor have one type. Written with a point they are `float32`, without one `int64`; together they
# become float:

# %%
print(
    tg.tensor([1.0, 2.0]).dtype,
    tg.tensor([1, 2]).dtype,
    (tg.tensor([1.0]) + tg.tensor([1])).dtype,
)

# %% [markdown]
# Three things to know. First, only floats can have gradients: a slope needs tiny steps, and integers have none.

# %%
try:
    tg.tensor([1, 2], requires_grad=True)
except RuntimeError as error:
    print(error)

# %% [markdown]
# Second, `float32` has about 7 digits. A smaller part of a sum is lost. `float64` has about 16; where derivatives are
# checked, it is needed:

# %%
print("float32:", tg.tensor(1.0) + 1e-8 == 1)
print("float64:", tg.tensor(1.0, dtype=tg.float64) + 1e-8 == 1)

# %% [markdown]
# Third, small types overflow: silently, as in NumPy.

# %%
print(tg.tensor([250], dtype=tg.uint8) + 10)  # 260 - 256
print(tg.tensor([60000.0], dtype=tg.float16) * 2)  # more than 65504

# %% [markdown]
# ## What to take along
#
# - A tensor is an array, plus `op` and `inputs`: what made it, and from what. Followed to the leaves, that is the
#   graph.
# - The graph is made by running your code: every input, every round of a loop may make another one.
# - `backward` leaves a slope in the `.grad` of each leaf that asked for it, in the leaf's own shape.
# - Shapes align at the right; a size of 1 is stretched, and its gradient summed.
#
# ## Exercise 1: shapes in your head
#
# `a` has the shape `(4, 1, 3)` and `b` the shape `(2, 3)`. Which shape has `(a * b).sum(dim=0)`? Answer with a tuple
# like `(5, 6)`, found without running it.

# %% tags=["exercise"]
shape = ...

# %% tags=["check"]
with check(shape):
    a, b = tg.ones(4, 1, 3), tg.ones(2, 3)
    assert isinstance(shape, tuple), (
        f"a shape is a tuple, such as (5, 6), not {shape!r}."
    )
    assert shape != (a * b).shape, (
        "that is the shape of a * b; then dim 0 is summed, and disappears."
    )
    assert len(shape) == 2, (
        f"a * b has 3 dims, and one of them disappears: 2 are left, not {len(shape)}."
    )
    assert shape == (a * b).sum(dim=0).shape, (
        "write (4, 1, 3) and (2, 3) below each other, aligned at the right."
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```text
# a        (4, 1, 3)
# b        (   2, 3)
# a * b    (4, 2, 3)
# sum      (   2, 3)
# ```
#
# ```python
# shape = (2, 3)
# ```
#
# </details>

# %% [markdown]
# ## Exercise 2: a graph as long as you like
#
# Write `power(x, n)`: x to the n-th power (n = 1, 2, 3, ...), by a loop of multiplications. It must be possible to ask
# for its slope, so its graph must reach back to `x`.


# %% tags=["exercise"]
def power(x, n):
    raise NotImplementedError  # your code here


# %% tags=["check"]
with check():
    for n in (1, 2, 5):
        base = tg.tensor(1.5, requires_grad=True)
        result = power(base, n)
        kind = type(result).__name__
        assert isinstance(result, tg.Tensor), (
            f"power(x, {n}) is a {kind}, not a tensor."
        )
        y, value = result.item(), 1.5**n
        assert abs(y - value) < 1e-3, (
            f"power(1.5, {n}) is {value:.4f}; yours is {y:.4f}."
        )
        assert result.requires_grad, (
            f"power(x, {n}) has forgotten x: compute with tensors, not with .item()."
        )
        maker = result.op.name if result.op else "mul"
        assert maker == "mul", (
            f"power(x, {n}) was made by {maker}: multiply, in a loop."
        )
        result.backward()
        assert base.grad is not None, f"no gradient of power(x, {n}) reached x."
        found, slope = base.grad.item(), n * 1.5 ** (n - 1)
        assert abs(found - slope) < 1e-3, (
            f"at 1.5 the slope for n = {n} is {slope:.4f}; yours is {found:.4f}."
        )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def power(x, n):
#     result = x
#     for _ in range(n - 1):
#         result = result * x
#     return result
# ```
#
# Try `tg.draw(power(tg.tensor(1.5, requires_grad=True), 5))`.
#
# </details>

# %% [markdown]
# ## Exercise 3: a trap
#
# Write `center(table)`: subtract from each row its own mean, without a loop. The first idea, `table -
# table.mean(dim=1)`, is refused for a table of 2 rows and 3 columns. For a square table it is *not* refused, and wrong.
# Why?


# %% tags=["exercise"]
def center(table):
    raise NotImplementedError  # your code here


# %% tags=["check"]
with check():
    for shape in ((3, 3), (2, 3), (4, 1)):
        table = tg.arange(float(shape[0] * shape[1])).reshape(shape) ** 2
        centred = center(table)
        assert centred.shape == shape, (
            f"for a table of shape {shape} the result has the shape {centred.shape}."
        )
        means = centred.mean(dim=1)
        assert tg.allclose(means, tg.zeros(shape[0]), atol=1e-4), (
            f"for a table of shape {shape} the means of the rows should be 0 now; "
            f"they are {means.tolist()}. Which shape has the mean, and how is it stretched?"
        )
        assert tg.allclose(centred - centred[:, :1], table - table[:, :1], atol=1e-4), (
            "within a row, differences must stay as they are."
        )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# The mean has the shape `(3,)`. Aligned at the right it is a *row*, and stretched downwards: the first mean is
# subtracted from the first *column*. It must stay a column, of shape `(3, 1)`:
#
# ```python
# def center(table):
#     return table - table.mean(dim=1, keepdim=True)
# ```
#
# </details>

# %% [markdown]
# **Next:** [2. Backprop, one step at a time](02_backprop_step_by_step.ipynb). All tutorials: [the map of the
# course](README.md).
