# %% [markdown]
# # 9. What can a network approximate?
#
# **A network is a few sums and a few bends. Is there any curve that it cannot follow? And if there is none, why should we believe
# what it says about points that it has never seen?**
#
# The two questions are two sides of one thing. First you build networks by hand, neuron by neuron, until they follow a wild curve
# as closely as you like. Then you let them learn, and see what such freedom costs: a network that can follow everything follows
# noise as well. Weight decay and dropout take some of the freedom away again.
#
# You need tutorials [4](04_perceptron_and_linear_classifiers.ipynb), [7](07_multilayer_perceptron_by_hand.ipynb) and
# [8](08_iris.ipynb). About 30 minutes.

# %%
import functools
import itertools

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.data import moons, spirals
from tinygrad_edu.exercises import check
from tinygrad_edu.metrics import accuracy
from tinygrad_edu.nn import functional as F
from tinygrad_edu.plot import Flipbook, plot_decision

plt.style.use("tinygrad_edu.figures")
tg.set_default_dtype(tg.float64)  # 16 digits: rounding decides nothing

# %% [markdown]
# ## A neuron is a step
#
# We follow the pictures of Michael Nielsen's [*A visual proof that neural nets can compute any
# function*](http://neuralnetworksanddeeplearning.com/chap4.html) (2015) and compute them. Take one input $x$ between 0 and 1, and
# one sigmoid neuron, $\sigma(wx + b)$. Move the slider: first the weight grows, then the bias changes.


# %% jupyter={"source_hidden": true}
def page(columns=1, width=4.8, height=2.4, top=0.88, **options):
    """A figure for a book, with its axes at the same places on all pages."""
    figure, axes = plt.subplots(
        1, columns, figsize=(width, height), layout="none", **options
    )
    figure.subplots_adjust(0.55 / width, 0.25 / height, 0.99, top)
    plt.close(figure)  # the book shows it
    return figure, axes


def steps():
    line = tg.linspace(0, 1, 1001)
    for w, s in [
        (5, 0.4),
        (20, 0.4),
        (100, 0.4),
        (1000, 0.4),
        (1000, 0.2),
        (1000, 0.8),
    ]:
        figure, ax = page()
        ax.plot(line.numpy(), tg.sigmoid(w * line - w * s).numpy())
        ax.axvline(s, color="C5", linestyle=":", linewidth=1)
        ax.set(title=f"w = {w}, b = −{w * s:g}", yticks=[0, 0.5, 1], ylim=(-0.05, 1.05))
        yield figure


Flipbook(steps(), title="a neuron becomes a step")

# %% [markdown]
# The larger the weight, the steeper the slope. With $w = 1000$ the neuron is as good as a **step**. It is at the place where
# $wx + b = 0$ (the dotted line), at $s = -b/w$. So from now on we say where a step shall be, and take $b = -ws$.
#
# ## Two steps are a bump
#
# Let an output neuron add two of them: one step up at 0.4, weighted with 0.8, and one at 0.6, weighted with −0.8. What the first
# adds the second takes away again, and between them there is a **bump** of height 0.8.


# %%
def step(x, s, w=1000):
    return tg.sigmoid(w * (x - s))


def bump(x, left, right, height, w=1000):
    return height * step(x, left, w) - height * step(x, right, w)


line = tg.linspace(0, 1, 1001)
figure, axes = plt.subplots(1, 2, figsize=(7.5, 2.5), sharey=True)
axes[0].plot(
    line.numpy(), 0.8 * step(line, 0.4).numpy(), "C1", label="0.8 · step at 0.4"
)
axes[0].plot(
    line.numpy(), -0.8 * step(line, 0.6).numpy(), "C2", label="−0.8 · step at 0.6"
)
axes[0].legend()
axes[1].plot(line.numpy(), bump(line, 0.4, 0.6, 0.8).numpy())
axes[1].set(title="their sum")
plt.show()

# %% [markdown]
# The bump is made of tensors, so it has gradients. If we wanted more of it at $x = 0.45$, which way should its edges and its
# height move? (A gradient says by how much the result grows if a number grows.)


# %%
def slopes(w):
    left = tg.tensor(0.4, requires_grad=True)
    right = tg.tensor(0.6, requires_grad=True)
    height = tg.tensor(0.8, requires_grad=True)
    bump(0.45, left, right, height, w).backward()
    for name, edge in {"left": left, "right": right, "height": height}.items():
        slope = round(edge.grad.item(), 4) + 0  # + 0 makes 0 of -0
        print(f"w = {w}: {name:6} {slope:8.4f}")


slopes(20)
slopes(1000)

# %% [markdown]
# With gentle slopes ($w = 20$) the left edge should go further left (its gradient is negative), the right edge a little to the
# right, and the height up. With steep ones the edges say nothing: 0.45 lies on a flat part, and feels only the height. Keep that
# in mind for the training.
#
# ## Bumps are a function
#
# Nielsen's curve is a wild one, between 0 and 1:
#
# $$f(x) = 0.2 + 0.4\,x^2 + 0.3\,x \sin(15x) + 0.05 \cos(50x)$$
#
# Cut the line into $n$ equal parts, and give each part a bump of its own: a network with $2n$ hidden neurons. In his network the
# output is a sigmoid neuron too, with bias 0. So the bumps must add up not to $f$ but to that $z$ for which $\sigma(z) = f$, the
# inverse of the sigmoid (the *logit*). As the height of each bump we take the mean of $z$ over its part. No training, we write
# all weights and biases down:


# %%
def f(x):
    return 0.2 + 0.4 * x**2 + 0.3 * x * tg.sin(15 * x) + 0.05 * tg.cos(50 * x)


def linear(weight, bias):
    """A layer with these numbers: a row of `weight` and a number of `bias` for each neuron."""
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    with tg.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


x = (tg.arange(800)[:, None] + 0.5) / 800  # 800 places, in the middle of small cells
wanted = f(x).logit()


def from_bumps(n, w=1000):
    """2n sigmoid neurons: n bumps, each as high as `wanted` is there on average."""
    edges = tg.linspace(0, 1, n + 1)
    s = tg.cat([edges[:-1], edges[1:]])  # where steps go up, and where down again
    h = wanted.reshape(n, -1).mean(1)
    return nn.Sequential(
        linear(tg.full((2 * n, 1), w), -w * s),
        nn.Sigmoid(),
        linear(tg.cat([h, -h])[None], tg.zeros(1)),
        nn.Sigmoid(),
    )


five = from_bumps(5)
print("the step at 0.2 has the bias", five[0].bias[1].item())
bumps = five[:3]  # all but the last sigmoid
print(f"average deviation: {(bumps(x) - wanted).abs().mean():.2f}")

# %% [markdown]
# On Nielsen's page you set five such bumps with the mouse, and have done it when the average deviation is 0.40 or below. Ours,
# 0.38, would pass. (It must be measured before the last sigmoid: behind it, it is only 0.07. The bias −200 for the step at 0.2 is
# on his page, too.)
#
# On the first three pages the five bumps come in, then there are more and more of them. On the left is the sum of the bumps
# (blue; grey is what it should be), on the right what the output neuron makes of it. (The small hooks at 0 and 1: there a step
# is only half done.)


# %% jupyter={"source_hidden": true}
def curves(ax, output, goal, title):
    ax.plot(x.numpy(), goal.numpy(), color="C5", linewidth=1.2)
    ax.plot(x.numpy(), output.detach().numpy(), color="C0")
    ax.set_title(title, fontsize=9)


def two_views(model, title):
    figure, axes = page(2, width=6.2)
    bumps = model[:3]
    curves(axes[0], bumps(x), wanted, title)
    error = (model(x) - f(x)).abs().mean()
    curves(axes[1], model(x), f(x), f"output: on average {error:.3f} off")
    axes[0].set_ylim(-2.5, 2)
    axes[1].set_ylim(0, 1)
    return figure


def growing():
    for k in (1, 2, 5):
        model = from_bumps(5)
        with tg.no_grad():
            for first in (k, 5 + k):
                model[2].weight[0, first : first + 5 - k] = 0
        yield two_views(model, f"{k} of 5 bumps")
    for n in (10, 20, 40):
        yield two_views(from_bumps(n), f"{n} bumps, {2 * n} neurons")


Flipbook(growing(), title="a function from bumps")

# %% [markdown]
# There was nothing special about this $f$. Whatever the curve, as long as it does not jump: with narrow bumps it changes very
# little on the width of one, and a flat top is close enough.
#
# ## Corners instead of steps
#
# Most networks of today have ReLUs, $\max(0, z)$, and these make no steps: a ReLU is 0 up to a **corner** and rises from there in
# a straight line. A sum of ReLUs is made of straight pieces, with a corner at each neuron. We only have to choose by how much
# each of them changes the slope. Then the network goes exactly through as many points of $f$ as we like:


# %%
def from_corners(n):
    """n ReLU neurons: straight pieces between n + 1 points of f."""
    corners = tg.linspace(0, 1, n + 1)
    slopes = f(corners).diff() * n
    changes = tg.cat(
        [slopes[:1], slopes.diff()]
    )  # before the first neuron the slope is 0
    return nn.Sequential(
        linear(tg.ones(n, 1), -corners[:-1]),
        nn.ReLU(),
        linear(changes[None], f(corners[:1])),
    )


# %% jupyter={"source_hidden": true}
def unfolding():
    whole = from_corners(10)
    for k in (1, 2, 3, 5, 10, 20):
        model = from_corners(k) if k > 10 else nn.Sequential(*whole)
        if k < 10:
            cut = whole[2].weight.clone()
            cut[:, k:] = 0
            model = nn.Sequential(*whole[:2], linear(cut, whole[2].bias))
        figure, ax = page(height=2.8)
        title = f"{k} of 10 neurons" if k < 10 else f"{k} neurons"
        curves(ax, model(x), f(x), title)
        n = max(k, 10)
        at = tg.linspace(0, 1, n + 1)[:k]
        ax.plot(at.numpy(), model(at[:, None]).detach().numpy(), "o", markersize=4)
        ax.set_ylim(-0.4, 1.1)
        yield figure


Flipbook(unfolding(), title="a function from corners")

# %% [markdown]
# Up to its last corner the line is right; then it goes straight on, until the next neuron bends it. How fast do the two ways get
# better, if we pay with neurons?

# %%
counts = [10, 20, 40, 80, 160]
figure, ax = plt.subplots(figsize=(5.5, 3.2))
for name, models in {
    "steps": [from_bumps(n // 2) for n in counts],
    "corners": [from_corners(n) for n in counts],
}.items():
    errors = [(model(x) - f(x)).abs().mean().item() for model in models]
    ax.plot(counts, errors, "o-", label=name)
ax.set(xscale="log", yscale="log", xlabel="neurons", ylabel="average error")
ax.set_xticks(counts, counts)
ax.minorticks_off()
ax.legend()
plt.show()

# %% [markdown]
# Once the pieces are shorter than the waves, twice as many steps make about half the error, and twice as many corners a *quarter*
# of it. A slanted piece fits a smooth curve better than a flat one.
#
# ## The theorem, and what it does not say
#
# What you have built is the core of the **universal approximation theorem**: for every continuous function on a bounded region,
# with any number of inputs, and every error that you allow, however small, there is a network with *one* hidden layer that stays
# within it everywhere. It was proved for sigmoids by [G. Cybenko](https://doi.org/10.1007/BF02551274) (1989) and
# [others](https://doi.org/10.1016/0893-6080(89)90020-8); it holds for practically every activation that is not a polynomial, ReLU
# too ([Leshno and others](https://doi.org/10.1016/S0893-6080(05)80131-5), 1993).
#
# It sounds like the end of all worries. So read again what it does *not* say:
#
# 1. **how many** neurons are needed. (Bumps for a picture of 28x28 pixels, ten along each input, would be $10^{784}$.)
# 2. that **training finds** them.
# 3. what the network does **where nobody told it** what to do.
#
# The third first, because it is quick. Here are both networks, also outside the region for which we built them (grey):

# %%
wide = tg.linspace(-0.6, 1.6, 1101)[:, None]
figure, ax = plt.subplots(figsize=(6, 2.8))
ax.axvspan(0, 1, color="C5", alpha=0.12)
ax.plot(wide.numpy(), f(wide).numpy(), color="C5", linewidth=1.2, label="f")
for name, model in {"steps": from_bumps(40), "corners": from_corners(40)}.items():
    ax.plot(wide.numpy(), model(wide).detach().numpy(), label=name)
ax.set(ylim=(-0.5, 1.6))
ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# Outside, steps say "no bump here", $\sigma(0) = 0.5$, and corners go straight on. Neither knows anything about $f$ there.

# %% [markdown]
# ## Learnt, not built
#
# Now the second: does training find good weights? Three networks of ten sigmoid neurons learn $f$ from 100 of its points, with
# Adam, all in the same way. Only their beginnings differ: our five bumps as they are ($w = 1000$), the same with gentle slopes
# ($w = 50$), and random weights, as usual.


# %%
def descend(model, samples, loss, optimizer, steps):
    """So many steps, each down the gradient of all samples together."""

    @tg.compile  # the same numbers, sooner
    def one_step(X, y):
        optimizer.zero_grad()
        loss(model(X), y).backward()
        optimizer.step()

    for _ in range(steps):
        one_step(*samples)


def random_start():
    tg.manual_seed(0)
    return nn.Sequential(
        *(nn.Linear(1, 10), nn.Sigmoid()),
        *(nn.Linear(10, 1), nn.Sigmoid()),
    )


learners = {
    "bumps, w = 1000": from_bumps(5),
    "bumps, w = 50": from_bumps(5, w=50),
    "random": random_start(),
}


# %% jupyter={"source_hidden": true}
def learning():
    samples = x[4::8], f(x[4::8])
    optimizers = [optim.Adam(m.parameters(), lr=0.03) for m in learners.values()]
    done = 0
    for until in (0, 30, 300, 1000):
        figure, axes = page(3, width=6.4, top=0.74, sharey=True)
        for ax, optimizer, (name, model) in zip(
            axes, optimizers, learners.items(), strict=True
        ):
            descend(model, samples, nn.MSELoss(), optimizer, until - done)
            error = (model(x) - f(x)).abs().mean()
            curves(ax, model(x), f(x), f"{name}\n{error:.3f} off")
            ax.set_ylim(0, 1)
        done = until
        figure.suptitle(f"after {until} steps", fontsize=10)
        yield figure


Flipbook(learning(), title="three beginnings")

# %% [markdown]
# - **Gentle bumps** learn fast. The same ten neurons soon are nearly three times closer than what we built: they move to where
#   they are needed, and one slope does the work of many steps.
# - **Steep bumps** hardly move. Each step is flat everywhere but in a tiny window, and no point happens to lie in one, so nothing
#   tells a step where it should be: it sleeps, as in [tutorial 7](07_multilayer_perceptron_by_hand.ipynb). Only the heights
#   learn. (The spikes stand in these windows too: where no point looks, a network may do anything.) The network of the proof is
#   the worst one to train.
# - **Random** neurons begin as slopes so gentle that all of them look alike. They must first become different, and are late.
#
# That a good network *exists* is one thing, to find it is another. It depends on where you begin, on the optimizer ([6. Walking
# downhill](06_walking_downhill.ipynb)) and on luck.
#
# ## In the plane
#
# With two inputs a neuron is a slope along a straight line of the plane ([tutorial
# 4](04_perceptron_and_linear_classifiers.ipynb)), and the more neurons there are, the more lines a network has to cut its regions
# with. How many are enough? A. Karpathy's [ConvNetJS
# demo](https://cs.stanford.edu/people/karpathy/convnetjs/demo/classify2d.html) lets you try it, and CS231n's
# [notes](https://cs231n.github.io/neural-networks-1/) show it for one hidden layer of 3, 6 and 20 neurons. We take one of the
# demo's data sets: two spirals that wind 1¼ times around the centre and reach as far as 5, 100 points each. (Only its noise is
# made in another way.) The neurons are $\tanh$, as in the demo: a sigmoid that goes from −1 to 1.
#
# As in [tutorial 8](08_iris.ipynb), the network sees one part of the data, and another part, 1000 points that it never sees, says
# how good it is.


# %%
def spiral(n, seed):
    table = spirals(n, turns=1.25, noise=0.03, seed=seed)
    return 5 * table.x.double(), table.y


@functools.cache  # the same training is done only once
def train(samples, neurons=20, weight_decay=0.0, dropout=0.0):
    tg.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(2, neurons),
        nn.Tanh(),
        nn.Dropout(dropout),  # this and weight_decay are for later
        nn.Linear(neurons, 2),
    )
    optimizer = optim.Adam(model.parameters(), lr=0.04, weight_decay=weight_decay)
    descend(model, samples, nn.CrossEntropyLoss(), optimizer, steps=500)
    return model.eval()


spiral_seen, spiral_unseen = spiral(200, seed=0), spiral(1000, seed=1)


# %% jupyter={"source_hidden": true}
def region(ax, model, seen, unseen, title):
    plot_decision(model, *seen, ax=ax, steps=100)
    for name, (X, y) in {"seen": seen, "unseen": unseen}.items():
        loss = F.cross_entropy(model(X), y)
        title += f"\n{name}: {accuracy(model(X), y):.0%} right, loss {loss:.2f}"
    ax.set_title(title, fontsize=8.5)
    ax.set(xticks=[], yticks=[])
    ax.grid(False)


# %% tags=["cover"]
figure, axes = plt.subplots(1, 3, figsize=(8, 3))
for ax, n in zip(axes, [3, 6, 20], strict=True):
    region(ax, train(spiral_seen, n), spiral_seen, spiral_unseen, f"{n} neurons")
plt.show()

# %% [markdown]
# Three lines cannot wind around. Six nearly can, in straight pieces, and with twenty it is a spiral. So take as many neurons as
# possible? Wait for data that are less tidy.
#
# ## More neurons than data
#
# Back to the third thing that the theorem does not say: what happens where there are no samples, now *between* them. Here are 14
# measurements (orange) of a sine (thin line), with noise, and networks of 1, 3 and 20 neurons to explain them. Twenty neurons have 61 weights
# and biases: four for each sample. The 100 grey points are unseen. The numbers are the mean squared errors of both. Follow the
# network on the right, and note when its *unseen* error is smallest.

# %%
rng = np.random.default_rng(3)


def measured(X):
    y = np.sin(np.pi / 5 * X) + rng.normal(0, 0.3, X.shape)
    return tg.tensor(X)[:, None], tg.tensor(y)[:, None]


sine_seen = measured(np.linspace(-5, 5, 14))
sine_unseen = measured(rng.uniform(-5, 5, 100))


# %% jupyter={"source_hidden": true}
def explaining():
    tg.manual_seed(0)
    models = {
        "1 neuron": nn.Sequential(nn.Linear(1, 1), nn.Tanh(), nn.Linear(1, 1)),
        "3 neurons": nn.Sequential(nn.Linear(1, 3), nn.Tanh(), nn.Linear(3, 1)),
        "20 neurons": nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 1)),
    }
    optimizers = [optim.Adam(m.parameters(), lr=0.01) for m in models.values()]
    line = tg.linspace(-5, 5, 200)[:, None]
    done = 0
    for until in (0, 50, 200, 1000):
        figure, axes = page(3, width=6.4, height=2.7, top=0.76, sharey=True)
        for ax, optimizer, (name, model) in zip(
            axes, optimizers, models.items(), strict=True
        ):
            descend(model, sine_seen, nn.MSELoss(), optimizer, until - done)
            errors = [F.mse_loss(model(X), y) for X, y in (sine_seen, sine_unseen)]
            for (X, y), look in [
                (sine_unseen, {"color": "#c8c8d4", "markersize": 3}),
                (sine_seen, {"color": "C1", "markersize": 8, "zorder": 3}),
            ]:
                ax.plot(X.numpy(), y.numpy(), ".", **look)
            ax.plot(line.numpy(), np.sin(np.pi / 5 * line.numpy()), "C5", linewidth=1)
            ax.plot(line.numpy(), model(line).detach().numpy(), "C0")
            title = "{}\nseen {:.3f}, unseen {:.3f}".format(name, *errors)
            ax.set_title(title, fontsize=9)
            ax.set_ylim(-2, 2.2)
        done = until
        figure.suptitle(f"after {until} steps", fontsize=10)
        yield figure


Flipbook(explaining(), title="14 samples")

# %% [markdown]
# - **1 neuron** is too stiff. It misses the course of the sine, on both kinds of points: it *underfits*.
# - **3 neurons** cannot reach every orange point, and that is good.
# - **20 neurons** are best after 50 steps (unseen: 0.143). Then they learn the noise. In the end they go through every single
#   orange point (seen: 0.001), and on the unseen ones they are worse than the single neuron. They *overfit*.
#
# An error of 0.001 is what universal approximation promised, and it is worth nothing. The network follows the samples as closely
# as you like, but the samples are not what you want to know.
#
# One way out you can see: stop after 50 steps (*early stopping*, tutorial 8). But let us look at overfitting in the plane first.
# Two moons, 40 points, with so much noise that they mix:


# %%
def moon(n, seed):
    table = moons(n, noise=0.3, seed=seed)
    return 2 * table.x.double(), table.y


moon_seen, moon_unseen = moon(40, seed=0), moon(1000, seed=99)

figure, axes = plt.subplots(1, 3, figsize=(8, 3))
for ax, n in zip(axes, [3, 6, 20], strict=True):
    region(ax, train(moon_seen, n), moon_seen, moon_unseen, f"{n} neurons")
plt.show()

# %% [markdown]
# 20 neurons make no mistake on what they have seen. For two orange strays among the blue points they have even made an island, as
# in the picture of CS231n's notes. But most unseen points on the island are blue. The share of right answers changes little (one
# or two percent are luck). The *loss* shows the damage: the more neurons, the surer is the network, also where it is wrong.
#
# ## A price on weights
#
# Fewer neurons, then? The notes advise against it, and the spirals showed why: too small is too small. Better keep the neurons,
# and make it expensive to use them wildly.
#
# What does a wild curve need? You know it from the beginning: **steep steps, and these need large weights**. So put a price on
# large weights. To the loss comes a penalty, the sum of their squares (*L2 regularisation*):
#
# $$\text{total} = \text{loss} + \frac{\lambda}{2} \sum w^2$$
#
# The derivative of the penalty is $\lambda w$. So nobody needs to compute the sum: an optimizer with the setting `weight_decay` =
# λ [adds $\lambda w$ to each gradient](../tinygrad_edu/optim/adaptive.py), and thus pulls every weight a little towards 0 in each
# step. (Biases are pulled too, here and in PyTorch.)
#
# The same moons, with 3, 6 and 20 neurons and three strengths λ:


# %%
def grid(seen, unseen, strengths):
    _, axes = plt.subplots(3, 3, figsize=(6.6, 7.3))
    for row, n in zip(axes, [3, 6, 20], strict=True):
        for ax, strength in zip(row, strengths, strict=True):
            model = train(seen, n, weight_decay=strength)
            region(ax, model, seen, unseen, f"{n} neurons, λ = {strength}")
    plt.show()


grid(moon_seen, moon_unseen, [0.001, 0.01, 0.1])

# %% [markdown]
# Read it along the rows. With λ = 0.1 there is hardly a weight left, and all three sizes draw the same straight line: they
# underfit. λ = 0.01 is too much for 3 neurons. But 6 and 20 now have the best losses of all, and 20 have lost their disadvantage:
# **gentle slopes, yet enough of them to bend in the right places**. That is why the notes advise to take a large network and hold
# it back, rather than to search for the right number of neurons.
#
# How strong shall the penalty be? Here are the losses of 20 neurons over λ, and below the sum of their squares:

# %%
strengths = [0.0001, 0.001, 0.003, 0.01, 0.03, 0.1]
models = [train(moon_seen, weight_decay=strength) for strength in strengths]
figure, (above, below) = plt.subplots(2, 1, figsize=(5.5, 4.6), sharex=True)
for (X, y), label in [(moon_seen, "seen"), (moon_unseen, "unseen")]:
    losses = [F.cross_entropy(model(X), y).item() for model in models]
    above.plot(strengths, losses, "o-", label=label)
above.set(xscale="log", ylabel="loss")
above.legend()
squares = [sum((p**2).sum().item() for p in model.parameters()) for model in models]
below.plot(strengths, squares, "o-", color="C3")
below.set(yscale="log", xlabel="λ", ylabel="sum of squares")
plt.show()

# %% [markdown]
# Read it from right to left: the penalty gets weaker, the weights grow. The *seen* loss only ever falls. The *unseen* loss falls
# with it at first, while the network learns the moons; then it rises again, while the network learns the noise. The lowest point
# is near 0.01. None of the 40 samples could have told us: it takes others, that do not train. λ is a hyperparameter, and is
# searched in powers of ten with validation data.
#
# Now the spirals. They have hardly any noise:

# %%
grid(spiral_seen, spiral_unseen, [0.0001, 0.001, 0.01])

# %% [markdown]
# 0.001 is the setting of the demo, and with 20 neurons it draws the smoothest spiral. But 0.01, best for the moons, is too much
# here: a spiral needs steep steps. The right strength depends on the data.
#
# ## Dropout
#
# Another way to take freedom away: while training, switch every hidden neuron off with a probability $p$, at random and anew in
# each step. Then no two neurons can build an island together, for one of them may be missing. What is to be known must be known
# by many. ([N. Srivastava and others](https://jmlr.org/papers/v15/srivastava14a.html), 2014.)
#
# Step through it: `a` is what four hidden neurons say, and `w` are their weights to an output. `dropout` multiplies each neuron
# by 0 or, for $p = 0.5$, by 2. (Those that stay are doubled, so that their sum is right on average.) On the way back, a neuron
# that was off gets the gradient 0, and so does its weight: they learn nothing in this step.

# %%
tg.manual_seed(6)
a = tg.tensor([0.9, -0.3, 0.5, 0.7], requires_grad=True)
w = tg.tensor([1.0, 2.0, -1.0, 0.5], requires_grad=True)
kept = F.dropout(a, 0.5)
score = (kept * w).sum()
tg.play(score, title="dropout")

# %% [markdown]
# When a network is used, nothing is dropped. `model.eval()` tells it so, and `train` ends with that. (Forget it, and your network
# gives another answer each time.) 20 neurons, both data sets, three strengths of dropout:

# %%
figure, axes = plt.subplots(2, 3, figsize=(6.6, 4.9))
for row, (seen, unseen) in zip(
    axes, [(moon_seen, moon_unseen), (spiral_seen, spiral_unseen)], strict=True
):
    for ax, p in zip(row, [0.2, 0.5, 0.8], strict=True):
        model = train(seen, dropout=p)
        region(ax, model, seen, unseen, f"20 neurons, p = {p}")
plt.show()

# %% [markdown]
# With $p = 0.2$ and 0.5 the island of the moons is gone, and the unseen loss is less than half of what it was (0.79). The spiral
# suffers from 0.5: half of the neurons are missing in each step, every time others, and those that are left shall wind around
# nevertheless. Dropout needs neurons to spare:

# %%
model = train(spiral_seen, neurons=100, dropout=0.5)
X, y = spiral_unseen
print(f"100 neurons, p = 0.5: unseen {accuracy(model(X), y):.0%} right")

# %% [markdown]
# ## What to take along
#
# - A neuron with a large weight is a step, two are a bump, and bumps follow any curve. So do the corners of ReLUs, and closer.
# - That a network exists says nothing of how many neurons it takes, whether training finds it, or what it does between samples.
# - A network with more numbers than samples can learn the noise. Only samples that it has not seen can tell.
# - L2 makes steep steps expensive, dropout keeps neurons from relying on each other. How much of them is right depends on the
#   data.
# - Rather a large network, held back, than a small one.
#
# ## Exercise 1: a tent
#
# Build a tent from three ReLUs by hand: 0 until $x = 0.2$, from there straight up to 1 at $x = 0.5$, straight down to 0 at
# $x = 0.8$, and 0 from there on. The corners $c_k$ are given. Which `weights` $w_k$ are needed, so that
# $\sum_k w_k \max(0, x - c_k)$ is the tent?

# %% tags=["exercise"]
corners = [0.2, 0.5, 0.8]
weights = ...

# %% jupyter={"source_hidden": true} tags=["check"]
with check(weights):
    assert np.shape(weights) == (3,), (
        f"three neurons need three numbers, not {weights}."
    )

    def tent(at):
        pairs = zip(weights, corners, strict=True)
        return float(sum(w * max(0, at - corner) for w, corner in pairs))

    assert weights[0] > 0, "the first neuron makes the way up: its weight is positive."
    assert abs(tent(0.5) - 1) < 0.01, (
        f"at 0.5 the tent is {tent(0.5):.3f} high, not 1: on a way of 0.3, which slope leads up to 1?"
    )
    slope = weights[0] + weights[1]
    assert abs(tent(0.8)) < 0.01, (
        f"at 0.8 it is {tent(0.8):.3f}, not 0: behind 0.5 the slope is {weights[0]:.3f} + ({weights[1]:.3f}) = {slope:.3f}."
    )
    assert abs(tent(1)) < 0.01, (
        f"up to 0.8 it is a tent, but at 1 it is {tent(1):.3f}: the third neuron must end the slope."
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# The slopes of the four pieces are 0, 1/0.3, −1/0.3 and 0. Each neuron adds the change:
#
# ```python
# weights = [1 / 0.3, -2 / 0.3, 1 / 0.3]
# ```
#
# </details>

# %% [markdown]
# ## Exercise 2: your own dropout
#
# Write `drop(x, p)` for the training: each number of the tensor `x` becomes 0 with the probability $p$, independently of all
# others. Those that stay become larger, so that the mean is the same as before. (`tg.rand(x.shape)` gives random numbers between
# 0 and 1.)


# %% tags=["exercise"]
def drop(x, p):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    tg.manual_seed(0)
    ones = tg.ones(400, 50, requires_grad=True)
    for p in (0.2, 0.75):
        dropped = drop(ones, p)
        assert isinstance(dropped, tg.Tensor), (
            f"the result should be a tensor, not a {type(dropped).__name__}."
        )
        assert dropped.shape == ones.shape, (
            f"x has the shape {tuple(ones.shape)}, the result {tuple(dropped.shape)}."
        )
        values = dropped.numpy(force=True)
        share = (values == 0).mean()
        assert abs(share - (1 - p)) > 0.05, (
            f"with p = {p} a share of {share:.2f} becomes 0: p is the probability to be dropped, not to stay."
        )
        whole = max((values == values[:1]).mean(), (values == values[:, :1]).mean())
        assert whole < 0.9, (
            "whole rows or columns are dropped together: each number needs a random number of its own."
        )
        assert abs(share - p) < 0.03, f"with p = {p} a share of {share:.2f} becomes 0."
        kept = values[values != 0]
        assert not np.allclose(kept, 1), (
            f"those that stay are as large as before, so the mean falls to {values.mean():.2f}."
        )
        assert np.allclose(kept, 1 / (1 - p)), (
            f"with p = {p} a 1 that stays becomes {kept[0]:.4f}; for a mean of 1 in the long run it should become {1 / (1 - p):.4f}."
        )
        assert dropped.requires_grad, (
            "the result has forgotten x: compute with tensors, so that gradients flow."
        )
    again = drop(ones, 0.75).numpy(force=True)
    assert not np.array_equal(values, again), (
        "the second call drops the same numbers as the first: they must be drawn anew."
    )
    assert np.allclose(drop(3 * ones, 0).numpy(force=True), 3), (
        "with p = 0 nothing should change."
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def drop(x, p):
#     stays = (tg.rand(x.shape) >= p).to(x.dtype)
#     return x * stays / (1 - p)
# ```
#
# [The package's](../tinygrad_edu/ops/dropout.py) does the same.
#
# </details>

# %% [markdown]
# ## Exercise 3: why deep?
#
# One hidden layer can follow everything. So why should a network have more? Here is a tent over 0 ... 1 from two ReLUs,
# $2 \max(0, x) - 4 \max(0, x - \frac12)$. It goes up and down, two straight pieces. What comes out if you put it into the same
# tent again, and that again? Write `zigzag(layers)`: a model (`nn.Sequential`) in which so many tents follow each other. Make the
# tents' layers with `linear(weight, bias)` from above. Both are tensors, and `weight` has a row for each neuron.


# %% tags=["exercise"]
def zigzag(layers):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():

    def flat(model):  # also if each tent is a Sequential of its own
        for part in model:
            yield from flat(part) if isinstance(part, nn.Sequential) else [part]

    for layers in (1, 2, 3, 8):
        model = zigzag(layers)
        assert isinstance(model, nn.Module), (
            f"zigzag should return a model, not a {type(model).__name__}."
        )
        hidden = [
            before.out_features
            for before, after in itertools.pairwise(flat(model))
            if isinstance(after, nn.ReLU)
        ]
        what = f"with {layers} {'tent' if layers == 1 else 'tents'}"
        assert hidden == [2] * layers, (
            f"{what} there should be hidden layers of {[2] * layers} ReLUs, not {hidden}."
        )
        at = tg.linspace(0, 1, 16 * 2**layers + 1)[:, None]
        height = model(at).detach()
        assert height.shape == at.shape, (
            f"{what}, {len(at)} inputs of shape (n, 1) should give as many outputs, not the shape {tuple(height.shape)}."
        )
        height = height.numpy()[:, 0]
        pieces = 1 + int((np.diff(np.sign(np.diff(height))) != 0).sum())
        assert np.allclose([height.min(), height.max()], [0, 1]), (
            f"{what} it goes from {height.min():.3g} to {height.max():.3g}, not from 0 to 1."
        )
        assert pieces == 2**layers, (
            f"{what} there are {pieces} pieces; there should be {2**layers}."
        )
    print(f"8 tents, 16 neurons: {pieces} straight pieces.")

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def zigzag(layers):
#     parts = []
#     for _ in range(layers):
#         parts.append(linear(tg.tensor([[1.0], [1.0]]), tg.tensor([0.0, -0.5])))
#         parts.append(nn.ReLU())
#         parts.append(linear(tg.tensor([[2.0, -4.0]]), tg.tensor([0.0])))
#     return nn.Sequential(*parts)
# ```
#
# Each tent folds the line in two, and whatever comes later happens on both halves. So every layer doubles the pieces: 256 with 16
# neurons. In a single hidden layer each neuron adds one corner, and it would take 256 of them. Depth is worth exponentially much,
# where a function repeats itself ([M. Telgarsky](https://arxiv.org/abs/1602.04485), 2016).
#
# </details>

# %% [markdown]
# ## The code behind it
#
# - [`plot_decision` and `Flipbook`](../tinygrad_edu/plot.py); [`compile`](../tinygrad_edu/compiler/README.md), which made our
#   steps faster
# - [`Adam` and its `weight_decay`](../tinygrad_edu/optim/adaptive.py); [`SGD`'s](../tinygrad_edu/optim/sgd.py)
# - [`Dropout`](../tinygrad_edu/nn/dropout.py), the layer, and [`dropout`](../tinygrad_edu/ops/dropout.py), the operation
# - [`moons`, `spirals`](../tinygrad_edu/data/made_up.py)
#
# **Back:** [8. Iris](08_iris.ipynb). **Next:** [10. Which sine is it?](10_which_sine_is_it.ipynb)
