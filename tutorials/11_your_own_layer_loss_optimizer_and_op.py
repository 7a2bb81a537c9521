# %% [markdown]
# # 11. Your own layer, loss, optimizer and operation
#
# **A library hands you layers, losses, optimizers and operations. Which of them could you have written yourself?**
#
# All of them. First we write a layer, a loss, an optimizer and a training loop in plain NumPy, derivatives included, and teach a
# network FizzBuzz with them. Then we write them once more as parts of this library, and need no derivatives. Last, we go one level
# deeper and make an *operation*, where a derivative must be written after all: we find it in five ways, get it wrong on purpose,
# and write a test that finds a mistake nobody planted.
#
# You need tutorials [2](02_backprop_step_by_step.ipynb) and [5](05_three_classes_three_losses.ipynb). About 30 minutes, and the exercises.

# %%
from decimal import Decimal, getcontext
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from hypothesis import given, settings
from matplotlib.colors import ListedColormap

import tinygrad_edu as tg
from tinygrad_edu import autograd, nn, optim
from tinygrad_edu.exercises import check
from tinygrad_edu.nn import functional as F
from tinygrad_edu.plot import Flipbook
from tinygrad_edu.testing import gradcheck, gradgradcheck, tensors

plt.style.use("tinygrad_edu.figures")
tg.set_default_dtype(tg.float64)  # 16 digits: derivatives will be checked

# %% [markdown]
# ## An interview question
#
# FizzBuzz: for each number from 1 to 100 say the number; but if it can be divided by 3, say *fizz*, if by 5, *buzz*, and if by
# both, *fizzbuzz*. It takes a few lines of Python. In 2016 Joel Grus [answered it with a neural
# network](https://joelgrus.com/2016/05/23/fizz-buzz-in-tensorflow/), for fun; later he wrote, in a talk of 45 minutes, a
# [whole small library](https://github.com/joelgrus/joelnet), joelnet, to do it once more. We follow him, in code of our own.
#
# The network sees the ten binary digits of a number (he writes them as 0 and 1, we as −1 and +1), and gives a score to each of
# the four answers. It learns from 101 to 1023, and is tested on 1 to 100, which it has never seen.


# %%
def bits(n):  # n >> k & 1 is the binary digit that counts 2**k
    return [1 if n >> k & 1 else -1 for k in range(10)]


def answer(n):  # 0: the number, 1: fizz, 2: buzz, 3: fizzbuzz
    return (n % 3 == 0) + 2 * (n % 5 == 0)


learn, test = range(101, 1024), range(1, 101)
X = np.array([bits(n) for n in learn], dtype=float)
Y = np.eye(4)[[answer(n) for n in learn]]  # 2 becomes 0 0 1 0
X_test = np.array([bits(n) for n in test], dtype=float)
y_test = np.array([answer(n) for n in test])

NAMES = ["the number", "fizz", "buzz", "fizzbuzz"]
for name, count in zip(NAMES, Y.sum(0), strict=True):
    print(f"{name:10} {count:4.0f} of {len(Y)}, or {count / len(Y):.12f}")

# %% jupyter={"source_hidden": true}
COLORS = ["#d9d9e3", "C0", "C1", "C3"]
figure, (above, below) = plt.subplots(
    2, 1, figsize=(8, 2.8), sharex=True, height_ratios=[1, 8]
)
shown = range(101, 161)
kinds = [answer(n) for n in shown]
above.scatter(shown, [0] * 60, 30, [COLORS[k] for k in kinds])
above.axis("off")
below.imshow(
    np.transpose([bits(n) for n in shown]),
    cmap="Greys",
    vmin=-1,
    vmax=2,
    aspect="auto",
    extent=(100.5, 160.5, 9.5, -0.5),
)
below.set(xlabel="number", yticks=[0, 9], yticklabels=["bit of 1", "bit of 512"])
below.grid(False)
for k in range(4):
    above.scatter([], [], 30, COLORS[k], label=NAMES[k])
figure.legend(loc="outside upper center", ncols=4)
plt.show()

# %% [markdown]
# Each column is a number, with a dot for its answer. The dots repeat after 15 numbers, the bits after 2, 4, 8, 16 ... No bit alone
# tells whether 3 or 5 divides the number: the network must put many together.
#
# The first line of the table is a trap. Whoever always says "the number" is right in 493 of 923 cases. Grus's network of 2016 fell
# into it: its [printed log](https://github.com/joelgrus/fizz-buzz-tensorflow) says 0.534127843987 after epoch 1, and again after
# every epoch up to number 612. We shall see how ours gets out. (An *epoch* is one pass through all the numbers it learns from.)
#
# ## Parts that know their own derivative
#
# joelnet's idea: a network is a chain of parts with the same two methods. `forward` computes. `backward` gets the gradient of the
# part's output and returns that of its input; on the way it notes the gradients of its own weights. Here is a layer, with the two
# rules for `@` from [tutorial 2](02_backprop_step_by_step.ipynb), and the activation tanh, which has no weights and the slope
# $1 - z^2$:


# %%
class Dense:
    def __init__(self, n_in, n_out, rng):
        limit = 1 / np.sqrt(n_in)  # the more inputs, the smaller the weights
        self.w = rng.uniform(-limit, limit, (n_in, n_out))
        self.b = rng.uniform(-limit, limit, n_out)

    def forward(self, x):
        self.x = x  # backward will need it
        return x @ self.w + self.b

    def backward(self, g):
        self.gradients = {"w": self.x.T @ g, "b": g.sum(0)}
        return g @ self.w.T


class Tanh:
    def __init__(self):
        self.gradients = {}  # it has nothing to learn

    def forward(self, x):
        self.z = np.tanh(x)
        return self.z

    def backward(self, g):
        return g * (1 - self.z**2)


# %% [markdown]
# (`g.sum(0)`: the bias was added to each sample, so each sends it a gradient, and gradients add up.)
#
# A loss is the end of the chain: its gradient is where the way back starts. And an optimizer moves each weight a little against its
# gradient:


# %%
class SquaredError:
    def value(self, said, wanted):
        return ((said - wanted) ** 2).sum()

    def gradient(self, said, wanted):
        return 2 * (said - wanted)


class Descent:
    def __init__(self, lr):
        self.lr = lr

    def step(self, parts):
        for part in parts:
            for name, gradient in part.gradients.items():
                weights = getattr(part, name)
                weights -= self.lr * gradient


# %% [markdown]
# A training loop needs nothing else: forward, the loss's gradient, backward, a step. It makes a step after each *batch* of about 32
# numbers.


# %%
def forward(parts, x):
    for part in parts:
        x = part.forward(x)
    return x


def batches(epochs):
    """For each epoch all places in X, mixed, in 29 batches; the same each time."""
    rng = np.random.default_rng(0)
    return [np.array_split(rng.permutation(len(X)), 29) for _ in range(epochs)]


def train_parts(parts, loss, optimizer, epochs):
    """The answers to 1 to 100, before training and after each epoch."""
    said = [forward(parts, X_test).argmax(1)]
    for epoch in batches(epochs):
        for batch in epoch:
            g = loss.gradient(forward(parts, X[batch]), Y[batch])
            for part in reversed(parts):
                g = part.backward(g)
            optimizer.step(parts)
        said.append(forward(parts, X_test).argmax(1))
    return np.array(said)


rng = np.random.default_rng(0)
parts = [Dense(10, 50, rng), Tanh(), Dense(50, 4, rng)]
said = train_parts(parts, SquaredError(), Descent(lr=0.003), epochs=300)
for epoch in (0, 10, 100, 200, 300):
    print(f"epoch {epoch:3}: {(said[epoch] == y_test).sum():3} of 100 are right")

# %% [markdown]
# It can do it. In the next pictures each row is 15 numbers, and the colour is what the network says. The answers repeat after 15
# numbers, so a network that has understood draws stripes. A cross marks a wrong answer. First the end, then the way there: leaf
# through it with the slider.


# %% jupyter={"source_hidden": true} tags=["cover"]
def stripes(said, title):
    figure, ax = plt.subplots(figsize=(6.5, 3.7))
    table = np.full(105, np.nan)
    table[:100] = said
    ax.imshow(table.reshape(7, 15), cmap=ListedColormap(COLORS), vmin=0, vmax=3)
    missed = np.flatnonzero(said != y_test)
    ax.scatter(missed % 15, missed // 15, 40, "black", marker="x", label="wrong")
    for color, name in zip(COLORS, NAMES, strict=True):
        ax.scatter([], [], 60, color, marker="s", label=name)
    figure.legend(loc="outside lower center", ncols=5, fontsize=8)
    ax.set(
        xticks=range(15),
        xticklabels=range(1, 16),
        yticks=range(7),
        yticklabels=[f"{15 * row} +" for row in range(7)],
        title=f"{title}: {len(missed)} wrong",
    )
    ax.grid(False)
    return figure


stripes(said[300], "after 300 epochs")
plt.show()


# %% jupyter={"source_hidden": true}
def pages(said, epochs):
    for epoch in epochs:
        figure = stripes(said[epoch], f"epoch {epoch}")
        plt.close(figure)
        yield figure


Flipbook(pages(said, [0, 10, 100, 150, 200, 250, 300]), "learning FizzBuzz")

# %% [markdown]
# There is the trap: for more than a hundred epochs the network says "the number" to nearly everything. Then stripes grow, and in
# the end all is right. (Grus's network of 2016 had [four wrong](https://github.com/joelgrus/fizz-buzz-tensorflow) in the end: to
# 4, 23, 49 and 53 it said fizz. With other random numbers ours has some wrong, too.)
#
# ## The same parts without their derivatives
#
# Now the same three parts, made for the library. Autograd finds the gradients, so **only the way forward** is left to write:
#
# - A layer is a subclass of `nn.Module`. What it learns is an attribute made with `nn.Parameter`; so `model.parameters()` finds it.
# - A loss is just a function.
# - An optimizer is a subclass of `optim.Optimizer` that says in `update` what happens to *one* parameter. `p` is its array, which is
#   changed in place, `g` the gradient; `group` is a dictionary with the settings, such as `lr`. (`state` comes later.)


# %%
class MyLinear(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        limit = n_in**-0.5
        self.w = nn.Parameter(tg.empty(n_in, n_out).uniform_(-limit, limit))
        self.b = nn.Parameter(tg.empty(n_out).uniform_(-limit, limit))

    def forward(self, x):
        return x @ self.w + self.b


def squared_error(said, wanted):
    return ((said - wanted) ** 2).sum()


class MyDescent(optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    def update(self, p, g, state, group):
        p -= group["lr"] * g


# %% [markdown]
# The training loop keeps its shape: forward, backward, step. Is it still the same training? Both networks get the same first
# weights and the same 29 batches:


# %%
def train(model, loss, optimizer, epochs):
    x, y, x_test = tg.tensor(X), tg.tensor(Y), tg.tensor(X_test)
    said = [tg.predict(model, x_test).numpy().argmax(1)]
    for epoch in batches(epochs):
        for batch in epoch:
            optimizer.zero_grad()
            loss(model(x[batch]), y[batch]).backward()
            optimizer.step()
        said.append(tg.predict(model, x_test).numpy().argmax(1))
    return np.array(said)


def my_network(activation):
    """MyLinear, an activation, MyLinear, always with the same first weights."""
    tg.manual_seed(0)
    return nn.Sequential(MyLinear(10, 50), activation, MyLinear(50, 4))


model = my_network(nn.Tanh())
parts = [Dense(10, 50, rng), Tanh(), Dense(50, 4, rng)]
pairs = [(parts[0], model[0]), (parts[2], model[2])]
for part, layer in pairs:
    part.w, part.b = layer.w.detach().clone().numpy(), layer.b.detach().clone().numpy()

train_parts(parts, SquaredError(), Descent(lr=0.003), epochs=1)
train(model, squared_error, MyDescent(model.parameters(), lr=0.003), epochs=1)
for part, layer in pairs:
    for theirs, ours in [(part.w, layer.w), (part.b, layer.b)]:
        same = np.allclose(theirs, ours.detach().numpy(), rtol=0, atol=1e-10)
        print(f"{theirs.size:3} numbers are equal to ten digits: {same}")

# %% [markdown]
# Number for number, with no `backward` and no `gradient` written. And `MyLinear` may be used twice, or in a loop, or beside another
# layer; a chain of parts can do none of that.
#
# PyTorch's ways are the same or nearly so:
#
# | your own | you write | in PyTorch |
# |---|---|---|
# | layer, model | a subclass of `nn.Module` with `forward` | the same |
# | loss | a function of tensors | the same |
# | optimizer | a subclass of `optim.Optimizer` with `update(p, g, state, group)` | the same with `step()`, which loops over the parameters; works here, too |
# | operation | `@op`: the computation, and a rule for each input | a subclass of `autograd.Function`; works here, too |
#
# ## Another loss, another optimizer
#
# Each part can be exchanged without touching the others. The usual loss for classes is the cross-entropy of [tutorial
# 5](05_three_classes_three_losses.ipynb): $-\ln p$ of the right answer, where $\ln p_j = s_j - \ln \sum_k e^{s_k}$ for the scores
# $s$. The last term is what `logsumexp` computes:


# %%
def cross_entropy(said, wanted):
    log_p = said - said.logsumexp(dim=1, keepdim=True)
    return -(wanted * log_p).sum(dim=1).mean()


scores, wanted = tg.randn(5, 4), tg.tensor(Y[:5])
same = tg.allclose(cross_entropy(scores, wanted), F.cross_entropy(scores, wanted))
print("equal to the library's:", same)

# %% [markdown]
# And an optimizer that is not in the library: *Lion*, which [a program found in 2023](https://arxiv.org/abs/2302.06675) by trying
# out many. It mixes the gradient with a running mean `m` of the earlier ones, and uses nothing of the mixture but its **sign**:
# each weight moves by `lr`, up or down. (The paper's Lion also shrinks the weights a little; we leave that out.) `state` is a
# dictionary that belongs to the parameter and lasts from step to step:


# %%
class Lion(optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    def update(self, p, g, state, group):
        m = state.get("m", 0.0)
        p -= group["lr"] * np.sign(0.9 * m + 0.1 * g)
        state["m"] = 0.99 * m + 0.01 * g


runs = {"squared error, descent": said}
model = my_network(nn.Tanh())
descent = MyDescent(model.parameters(), lr=0.5)
runs["cross-entropy, descent"] = train(model, cross_entropy, descent, epochs=60)
model = my_network(nn.Tanh())
lion = Lion(model.parameters(), lr=0.003)
runs["cross-entropy, Lion"] = train(model, cross_entropy, lion, epochs=60)


# %% jupyter={"source_hidden": true}
def curves(runs, styles=None):
    _, ax = plt.subplots(figsize=(6.5, 3))
    for name, said in runs.items():
        right = (said[:61] == y_test).sum(1)
        ax.plot(right, label=name, **(styles or {}).get(name, {}))
    ax.axhline(53, color="C5", linewidth=1, linestyle="--")
    ax.set(xlabel="epoch", ylabel="right, of 100", ylim=(0, 102))
    ax.legend(fontsize=8)
    plt.show()


curves(runs)

# %% [markdown]
# The dashed line is the trap, "always the number". With each exchange the network leaves it earlier. (This shows that the parts
# work, not which is best: it is one run each. [Tutorial 8](08_iris.ipynb) tells how to compare fairly.)
#
# ## An operation of your own
#
# Layers and losses are made of operations, and each operation brings its derivative along. What if the one you want does not exist?
# Our example is the activation *ReLU*, $\max(0, x)$, but without its corner. It is $(x + |x|) / 2$, and $|x| = \sqrt{x^2}$. Put a
# small $e > 0$ under the root:
#
# $$z = \frac{x + \sqrt{x^2 + e}}{2}$$
#
# (Jon Barron [calls it squareplus](https://arxiv.org/abs/2112.11687).) The smaller $e$, the nearer to ReLU:


# %% jupyter={"source_hidden": true}
x = np.linspace(-2, 2, 401)
figure, axes = plt.subplots(1, 2, figsize=(7.5, 2.8), sharex=True)
for smooth_e in (1, 0.1, 0.01):
    root = np.sqrt(x**2 + smooth_e)
    axes[0].plot(x, (x + root) / 2, label=f"e = {smooth_e}")
    axes[1].plot(x, (1 + x / root) / 2)
axes[0].plot(x, np.maximum(x, 0), "--", color="C5", linewidth=1, label="ReLU")
axes[1].plot(x, x > 0, "--", color="C5", linewidth=1)
axes[0].set(xlabel="x", title="z")
axes[1].set(xlabel="x", title="slope of z")
axes[0].legend()
plt.show()

# %% [markdown]
# ReLU's slope jumps; this one climbs, through 1/2 at 0. There are five ways to find it.
#
# **1. On paper.** Call the root $s = \sqrt{x^2 + e}$. By the chain rule its slope is $2x / (2s) = x/s$, so
#
# $$\frac{\partial z}{\partial x} = \frac{1}{2}\left(1 + \frac{x}{s}\right)$$
#
# **2. Measured**, from both sides, as in [tutorial 2](02_backprop_step_by_step.ipynb): no formula needed, but two runs for each
# number.
#
# **3. Composed** of operations that the library has. Autograd applies the chain rule for us; step through it:

# %%
e = 0.1


def composed(x):
    root = (x * x + e).sqrt()
    return (x + root) / 2


x = tg.tensor(-0.3, requires_grad=True)
square = x * x
root = (square + e).sqrt()
z = (x + root) / 2
tg.play(z, title="the smooth ReLU, composed")

# %% [markdown]
# Three parts meet in `x`, one for each use: two from `x * x`, one from the sum. (Why must $e$ be above 0? With $e = 0$ the root
# has an infinite slope at $x = 0$, and infinity times $2x = 0$ is not a number: the gradient would be `nan`.)
#
# **4. `autograd.Function`**, PyTorch's way to an operation of your own. `forward` computes, and leaves in `ctx` what `backward`
# will need: joelnet's idea, for a single operation. It is called as `SmoothReLU.apply(x)`:


# %%
class SmoothReLU(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x + (x * x + e).sqrt()) / 2

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (1 + x / (x * x + e).sqrt()) / 2


# %% [markdown]
# **5. `@op`**, this library's way: the computation on arrays, and a rule of one line for each input. A rule gets the gradient `g`
# that arrives, the result `z`, the inputs and the settings (what comes after the `*`).
#
# With $z$ at hand, the formula from paper gets simpler. As one fraction it is $(s + x) / (2s)$, and the numerator is $2z$. So the
# slope is $z / s$, and since $s = 2z - x$, the rule needs no root:
#
# $$\frac{\partial z}{\partial x} = \frac{z}{2z - x}$$


# %%
@tg.op(dx=lambda g, z, x, e: g * z / (2 * z - x))
def smooth_relu(x, *, e=0.1):
    """A ReLU without a corner: its slope climbs from 0 to 1.

    z = (x + √(x² + e)) / 2;  ∂x = g·z / (2z - x)
    """
    return (x + np.sqrt(x * x + e)) / 2


def slope_by(function, at):
    x = tg.tensor(at, requires_grad=True)
    function(x).sum().backward()
    return x.grad.numpy()


at = np.array([-2, -0.3, 0, 0.3, 2])
tiny = 1e-5
up, down = (composed(tg.tensor(at + d)).numpy() for d in (tiny, -tiny))
ways = {
    "on paper": (1 + at / np.sqrt(at**2 + e)) / 2,
    "measured": (up - down) / (2 * tiny),
    "composed": slope_by(composed, at),
    "Function": slope_by(SmoothReLU.apply, at),
    "@op": slope_by(smooth_relu, at),
}
print("x       ", *(f"{number:9.1f}" for number in at))
for name, slopes in ways.items():
    print(f"{name:8}", *(f"{number:9.6f}" for number in slopes))

# %% [markdown]
# Which one to take? Composed, as long as you can: there is no rule to get wrong. An operation of your own pays if it is used a
# lot, because it is one operation where there were five; and if the composed one computes badly, as we shall see. The player shows
# it like any other, with sentence and formula from its docstring:

# %%
x = tg.tensor([-0.3, 0.3], requires_grad=True)
h = smooth_relu(x)
loss = h.square().sum()
tg.play(loss, title="an operation of our own")

# %% [markdown]
# ## Wrong on purpose
#
# Nobody checks a rule when you write it. So we make three typical mistakes, and ask `gradcheck`, which compares with measured
# slopes:


# %%
def with_rule(rule):
    @tg.op(dx=rule)
    def smooth_relu(x, *, e=0.1):
        """z = (x + √(x² + e)) / 2;  ∂x = ?"""
        return (x + np.sqrt(x * x + e)) / 2

    return smooth_relu


wrong = {
    "½ forgotten": with_rule(lambda g, z, x, e: 2 * g * z / (2 * z - x)),
    "ReLU's slope": with_rule(lambda g, z, x, e: g * (x > 0)),
    "sign of x": with_rule(lambda g, z, x, e: g * (z - x) / (2 * z - x)),
}
x = tg.tensor([-0.5, 0.1, 1.0], requires_grad=True)
for name, operation in wrong.items():
    try:
        gradcheck(operation, x)
    except RuntimeError as error:
        print(fill(f"{name}: {error}", 90), "\n")

# %% [markdown]
# All three are found. (`gradcheck` gives each result another, random weight, so that mistakes cannot cancel.) In a larger
# computation `check_graph` tells *which* rule it is: it checks every rule of the graph by itself, and marks the first that is
# wrong.

# %%
W = tg.tensor([[0.5, -1.0], [1.5, 0.3]], requires_grad=True)
x = tg.tensor([1.0, -0.4])
suspect = wrong["sign of x"]
hidden = suspect(W @ x)
loss = (hidden * hidden).sum()
tg.check_graph(loss)

# %% [markdown]
# Would we not have noticed in training? Here is FizzBuzz once more, with our own layer, operation, loss and optimizer, with the
# right rule and with the wrong ones:


# %%
class Activation(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


runs = {}
for name, operation in {"right": smooth_relu, **wrong}.items():
    model = my_network(Activation(operation))
    lion = Lion(model.parameters(), lr=0.003)
    runs[name] = train(model, cross_entropy, lion, epochs=30)
curves(runs, {"½ forgotten": {"linestyle": ":", "linewidth": 3}})

# %% [markdown]
# Only the wrong sign would be noticed. With ReLU's slope the network learns a little less well; you would blame the learning rate.
# And the forgotten ½ gives *exactly* the same curve as the right rule: it doubles the gradients of the first layer, and Lion looks
# only at their signs. **A training that works proves nothing about a derivative.**
#
# ## The second derivative
#
# The slope of a slope is the *second derivative*: it says how a function bends, and some methods of training need it. There is a
# mistake in it that `gradcheck` does not see. It looks like a good idea: the root is computed in `forward` anyway, so why not keep
# the slope?


# %%
class Thrifty(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        root = (x * x + e).sqrt()
        ctx.slope = (1 + x / root) / 2
        return (x + root) / 2

    @staticmethod
    def backward(ctx, g):
        return g * ctx.slope


x = tg.tensor([-0.5, 0.1, 1.0], requires_grad=True)
print("gradcheck:", gradcheck(Thrifty.apply, x))
try:
    gradgradcheck(Thrifty.apply, x)
except RuntimeError as error:
    print(fill(str(error), 90))

# %% [markdown]
# `gradgradcheck` compares the gradient's own gradient with measured slopes. In `forward` of a Function nothing is recorded, so
# `ctx.slope` is a bare number that has forgotten `x`. In a larger computation its part of a second derivative is missing, without
# a word. The two from above do better: `SmoothReLU` computes the slope anew from the input, and our rule is made of `z` and `x`,
# which both know where they come from. (`create_graph=True` records the walk back as well, so that we can walk back through it.)

# %%
for name, function in [
    ("Thrifty", Thrifty.apply),
    ("SmoothReLU", SmoothReLU.apply),
    ("smooth_relu", smooth_relu),
]:
    x = tg.tensor(0.5, requires_grad=True)
    (slope,) = autograd.grad(function(x) ** 2, x, create_graph=True)
    (bend,) = autograd.grad(slope, x)
    right = gradgradcheck(function, x, raise_exception=False)
    print(f"{name:11}  z²: slope {slope:.4f}, its slope {bend:.4f}  {right}")

# %% [markdown]
# ## A property test
#
# We checked at three numbers that came to mind. A *property test* says what must hold for **all** inputs, and lets a program look
# for one that breaks it. The program is [Hypothesis](https://hypothesis.readthedocs.io). Under `@given` it calls a function again
# and again with other inputs: here with tensors of all shapes, made by `tensors()` of
# [tinygrad_edu.testing](../tinygrad_edu/testing/strategies.py). `@settings` says how often, and `quiet` makes each run the same. The
# derivatives first:


# %%
quiet = {"deadline": None, "database": None, "derandomize": True}


def test_derivatives(operation):
    @settings(max_examples=30, **quiet)
    @given(tensors(requires_grad=True))
    def holds(x):
        assert gradcheck(operation, x)
        assert gradgradcheck(operation, x)

    holds()


test_derivatives(smooth_relu)
print("no counterexample among 30")

# %% [markdown]
# And the values? To compare with the same formula once more would prove little. Better to find something that *follows* from it.
# With $s = \sqrt{x^2 + e}$, the results for $x$ and $-x$ are $(s + x)/2$ and $(s - x)/2$. So
#
# $$z(x) - z(-x) = x \qquad\text{and}\qquad z(x) \cdot z(-x) = \frac{s^2 - x^2}{4} = \frac{e}{4}$$
#
# for every $x$. The numbers may be large now, up to a million:


# %% tags=["volatile"]
def test_values(operation):
    @settings(max_examples=100, **quiet)
    @given(tensors(elements=(-1e6, 1e6)))
    def holds(x):
        plus, minus = operation(x), operation(-x)
        assert tg.allclose(plus - minus, x), f"z(x) - z(-x) is not x for {x}"
        law = tg.allclose(plus * minus, tg.full_like(x, 0.1 / 4))
        assert law, f"z(x)·z(-x) is not e/4 for {x}"

    holds()


try:
    test_values(smooth_relu)
except AssertionError as error:
    print(error)

# %% [markdown]
# Nobody planted that. Hypothesis met an input that breaks the second law, and made it as simple as it could. (Yours may be
# another: versions of Hypothesis differ.) What is wrong there? For $x$ far below 0 the root is almost $-x$, so $x + s$ is the
# difference of two nearly equal numbers. Most of their 16 digits cancel, and what remains is mostly rounding. The formula is
# right; the computed numbers are not. The composed version has the same fault.
#
# The law that found it also mends it. The larger of the two values, $(|x| + s)/2$, is a sum of positive numbers, in which nothing
# cancels. The smaller one is $e/4$ divided by it. The rule may stay: for negative $x$, $2z - x$ is such a sum as well. (In the
# formula from paper, $1 + x/s$, digits cancel, too.)


# %%
@tg.op(dx=lambda g, z, x, e: g * z / (2 * z - x))
def stable_relu(x, *, e=0.1):
    """z = (x + √(x² + e)) / 2;  ∂x = g·z / (2z - x)"""
    large = (np.abs(x) + np.sqrt(x * x + e)) / 2
    return np.where(x >= 0, large, e / (4 * large))


# %% jupyter={"source_hidden": true}
getcontext().prec = 60  # digits: enough to call it the truth
xs = -(10.0 ** np.linspace(-1, 9, 201))
truth = [(Decimal(x) + (Decimal(x) ** 2 + Decimal(e)).sqrt()) / 2 for x in xs]
figure, ax = plt.subplots(figsize=(6.5, 2.8))
for operation, label in [
    (smooth_relu, "first version"),
    (stable_relu, "without cancelling"),
]:
    found = operation(tg.tensor(xs)).tolist()
    errors = [
        abs(float(Decimal(z) / t - 1)) + 1e-17
        for z, t in zip(found, truth, strict=True)
    ]
    ax.loglog(-xs, errors, label=label)
ax.set(xlabel="−x", ylabel="error of z, relative to z")
ax.legend()
plt.show()

# %% [markdown]
# At the right the first version has lost all digits: its result is 0, its error 1. Now both tests for the new version:

# %%
test_derivatives(stable_relu)
test_values(stable_relu)
print("no counterexample")

# %% [markdown]
# The operations of this library are tested so, too: values, first and second derivatives (`tests/test_catalogue.py`).
#
# ## What to take along
#
# - Layer, loss, optimizer: small parts with an agreed way to talk to each other. Write your own and plug it in.
# - With autograd only the way forward is written. `nn.Parameter` marks what is learnt, `update` says how it moves.
# - Compose first. If you must write a rule, make it of `z` and the inputs.
# - Training may hide a wrong derivative. `gradcheck`, `gradgradcheck` and `check_graph` see it.
# - A property holds for all inputs; let a program search for one that breaks it.
#
# ## Exercise 1: a rule for e
#
# Let $e$ be a second input, so that it can be learnt as well. How fast does $z$ grow with $e$? Find $\partial z / \partial e$ on
# paper, and write the rule with `g`, `z`, `x` and `e`. (A rule gets arrays or tensors, so it must use what both can do: a root is
# `** 0.5`. But you can do without one.)

# %% tags=["exercise"]
rule_for_e = ...  # lambda g, z, x, e: ...

# %% jupyter={"source_hidden": true} tags=["check"]
with check(rule_for_e):

    @tg.op(dx=lambda g, z, x, e: g * z / (2 * z - x), de=rule_for_e)
    def with_e(x, e):
        """z = (x + √(x² + e)) / 2;  ∂x = g·z / (2z - x);  ∂e = the answer"""
        return (x + np.sqrt(x * x + e)) / 2

    at, width = tg.tensor([-0.5, 0.2, 1.5]), tg.tensor(0.3, requires_grad=True)
    sent = tg.tensor([1.0, -2.0, 3.0])  # what arrives as g
    with_e(at, width).backward(sent)
    found = width.grad.item()
    each = 1 / (4 * (at * at + 0.3).sqrt())
    wish = (sent * each).sum().item()

    def is_found(number):
        return abs(found - number) < 1e-9

    assert not is_found(each.sum().item()), "the rule does not use g."
    assert not is_found(-wish), "the sign is wrong: a larger e makes z larger."
    assert not is_found(2 * wish), (
        "that is twice too much. Two halves meet: that of the formula, and that of the root's derivative."
    )
    assert not is_found((sent * at * each * 2).sum().item()), (
        "that is the slope of the root for x; now e is the one that moves."
    )
    assert is_found(wish), (
        f"for g = {sent.tolist()}, x = {at.tolist()}, e = 0.3 it gives {found:.4f}, not {wish:.4f}. "
        "On paper: the derivative of √u is 1 / (2√u)."
    )
    at.requires_grad_()
    assert gradcheck(with_e, (at, width))
    assert gradgradcheck(with_e, (at, width))

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# The derivative of the root $s = \sqrt{x^2 + e}$ by $e$ is $1 / (2s)$. So that of $z = (x + s) / 2$ is $1 / (4s)$, and $s = 2z -
# x$:
#
# ```python
# rule_for_e = lambda g, z, x, e: g / (4 * (2 * z - x))
# ```
#
# In the check one number $e$ serves three of $x$; that their three parts are added up is the engine's work, not the rule's.
#
# </details>

# %% [markdown]
# ## Exercise 2: a layer that learns its bend
#
# Write the layer `Bend(features)`: the smooth ReLU of x, which has the shape (samples, features), with an $e$ for each feature.
# Each $e$ is learnt and starts at 0.1. An optimizer may move a parameter anywhere, but $e$ must stay above 0. So store not $e$,
# but its (natural) logarithm. (`tg.full((features,), 0.1)` makes a tensor; compose the rest.)


# %% tags=["exercise"]
class Bend(nn.Module):
    def __init__(self, features):
        raise NotImplementedError

    def forward(self, x):
        raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    layer = Bend(3)
    held = list(layer.parameters())
    assert held, "layer.parameters() finds nothing to learn: is it an nn.Parameter?"
    assert len(held) == 1, (
        f"it has {len(held)} parameters; one with three numbers will do."
    )
    assert held[0].shape == (3,), (
        f"the parameter of Bend(3) has the shape {tuple(held[0].shape)}; one number for each feature is (3,)."
    )
    assert not np.allclose(held[0].numpy(force=True), 0.1), (
        "the parameter is e itself: a step of an optimizer could make it negative. Store its logarithm."
    )
    start = held[0].exp().tolist()
    assert np.allclose(start, 0.1), (
        f"e should start at 0.1 for each feature, not at {start}."
    )
    x = tg.tensor([[-1.0, 0.0, 0.5], [2.0, -0.3, 0.1]])
    for bends in ([0.1, 0.1, 0.1], [1.0, 0.01, 3.0]):
        with tg.no_grad():
            held[0].copy_(tg.tensor(bends).log())
        z, expected = layer(x), (x + (x * x + tg.tensor(bends)).sqrt()) / 2
        assert z.shape == x.shape, (
            f"for x of shape (2, 3) the result has the shape {tuple(z.shape)}."
        )
        assert tg.allclose(z, expected), (
            f"with e = {bends} the first row should become {expected[0].numpy().round(4).tolist()}, "
            f"not {z[0].numpy(force=True).round(4).tolist()}."
        )
    layer(x.requires_grad_()).sum().backward()
    assert held[0].grad is not None, (
        "no gradient reaches the parameter: compute with the tensor itself, without .item(), .numpy() or .detach()."
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# class Bend(nn.Module):
#     def __init__(self, features):
#         super().__init__()
#         self.log_e = nn.Parameter(tg.full((features,), 0.1).log())
#
#     def forward(self, x):
#         return (x + (x * x + self.log_e.exp()).sqrt()) / 2
# ```
#
# Composed, without a rule: autograd finds the derivative for `log_e` as well.
#
# </details>

# %% [markdown]
# ## Exercise 3: you are the judge
#
# Write `judge(operation)`. It gets a function that claims to be the smooth ReLU with $e = 0.1$. If that is false, it raises an
# error (a failed `assert` is one); else it does nothing. Some of those that come before you compute wrong values, some have wrong
# first or second derivatives, and some are right only for some numbers. Use what we have; but one of them passes both of our
# tests.


# %% tags=["exercise"]
def judge(operation):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
def suspects():
    """Right and wrong smooth ReLUs: what is said if judge errs, whether it is right, and the operation."""

    def made(rule, forward):
        def claims_to_be_smooth(x):
            return forward(x)

        return tg.op(dx=rule)(claims_to_be_smooth)

    def plain(x):
        return (x + np.sqrt(x * x + 0.1)) / 2

    def stable(x):
        large = (np.abs(x) + np.sqrt(x * x + 0.1)) / 2
        return np.where(x >= 0, large, 0.1 / (4 * large))

    class Kept(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            z = stable_relu(x)
            ctx.slope = z / (2 * z - x)
            return z

        @staticmethod
        def backward(ctx, g):
            return g * ctx.slope

    yield "a right one", True, made(lambda g, z, x: g * z / (2 * z - x), stable)
    yield (
        "one whose slope is half of what it should be",
        False,
        made(lambda g, z, x: g * z / (2 * z - x) / 2, stable),
    )
    yield (
        "one whose slope is right for positive x only",
        False,
        made(lambda g, z, x: g * z / (2 * z - x) * (x > 0), stable),
    )
    yield (
        "one whose second derivative is lost (gradcheck does not see it)",
        False,
        Kept.apply,
    )
    yield (
        "one that gives twice the right value, with the slope of that (gradcheck does not see it)",
        False,
        made(lambda g, z, x: g * z / (z - x), lambda x: 2 * stable(x)),
    )
    yield (
        "one that computes with another e, 0.2",
        False,
        made(
            lambda g, z, x: g * z / (2 * z - x),
            lambda x: (x + np.sqrt(x * x + 0.2)) / 2,
        ),
    )
    yield (
        "one that obeys both laws, has the slope of what it computes, and is never positive",
        False,
        made(lambda g, z, x: g * z / (2 * z - x), lambda x: -stable(-x)),
    )
    yield (
        "one whose values are wrong far below 0",
        False,
        made(lambda g, z, x: g * z / (2 * z - x), plain),
    )
    yield (
        "another right one",
        True,
        made(lambda g, z, x: g * (1 + x / (x * x + 0.1) ** 0.5) / 2, stable),
    )


with check():
    for what, right, operation in suspects():
        calls = []

        def suspect(x, operation=operation, calls=calls):
            calls.append(x)
            return operation(x)

        try:
            verdict, refused = judge(suspect), None
        except NotImplementedError:
            raise
        except Exception as error:
            verdict, refused = None, error
        assert verdict is None, (
            f"judge returned {verdict!r}. It need not return anything: let it raise an error, as assert does."
        )
        assert calls or refused, (
            "you have not called the operation once. If your test is a function inside of judge, call it."
        )
        assert right or refused, f"you let go {what}."
        assert not right or not refused, (
            f"you refused {what}: {type(refused).__name__}: {refused}"
        )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def judge(operation):
#     test_derivatives(operation)
#     test_values(operation)
#     assert (operation(tg.linspace(-2, 2, 5)) > 0).all()
# ```
#
# The two laws make a quadratic equation for $z(x)$. One of its solutions is the smooth ReLU, the other is $(x - s) / 2$, which is
# negative everywhere. So the laws and the sign leave only one function, and `test_derivatives` checks its slopes.
#
# </details>

# %% [markdown]
# ## The code behind it
#
# - [`nn/module.py`](../tinygrad_edu/nn/module.py), [`nn/linear.py`](../tinygrad_edu/nn/linear.py): what a layer is
# - [`optim/optimizer.py`](../tinygrad_edu/optim/optimizer.py): the loop around `update`; [`optim/sgd.py`](../tinygrad_edu/optim/sgd.py)
#   and the others are written just like yours
# - [`op.py`](../tinygrad_edu/op.py), [`autograd/function.py`](../tinygrad_edu/autograd/function.py): operations
# - [`testing`](../tinygrad_edu/testing/__init__.py): `gradcheck`, `gradgradcheck`, `tensors`
#
# **Back:** [10. Which sine is it?](10_which_sine_is_it.ipynb). **Next:** [12. Convolutions](12_convolutions.ipynb).
