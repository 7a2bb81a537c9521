# %% [markdown]
# # 6. Walking downhill
#
# **You stand on a hillside in thick fog and want to get down into the valley. All you can feel is the slope under your feet. How
# long should your next step be, and should you always go straight down?**
#
# Every training is such a walk. The place is given by the weights, the height is the loss, and autograd feels the slope. What is
# done with the slope is the *optimizer's* business. Here you look at whole landscapes from above, walk in them with steps that are
# too short, right and too long, let seven optimizers race, and write one of your own in five lines.
#
# You need tutorials [1](01_tensors_and_dynamic_graphs.ipynb) and [2](02_backprop_step_by_step.ipynb). About 30 minutes.

# %%
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.autograd.functional import hessian
from tinygrad_edu.exercises import check
from tinygrad_edu.plot import Flipbook

plt.style.use("tinygrad_edu.figures")
tg.set_default_dtype(tg.float64)  # 16 digits: rounding decides nothing

# %% [markdown]
# ## A landscape
#
# Twelve points, and a line $a \cdot x + b$ that should run through them. Two weights, so every line is a *place* in a plane: $a$
# says how far east, $b$ how far north. How badly the line fits, its mean squared error, is the *height* of the land at that place.

# %%
rng = np.random.default_rng(0)


def points(f, low, high, noise, n):
    """n points (x, y) near the curve y = f(x)."""
    x = rng.uniform(low, high, n)
    return tg.tensor(x), tg.tensor(f(x) + rng.normal(0, noise, n))


def landscape(model, x, y):
    """The height at each place w = (a, b): how badly model(x, a, b) fits y."""

    def height(w, chosen=slice(None)):
        a, b = w[..., None]  # a last axis for the points
        return ((model(x[chosen], a, b) - y[chosen]) ** 2).mean(-1)

    return height


def line(x, a, b):
    return a * x + b


x, y = points(lambda x: 0.8 * x + 0.5, 0, 3, 0.4, 12)
valley = landscape(line, x, y)
valley(tg.tensor([-1.0, 3.2]))

# %% [markdown]
# That is how high the place $(-1, 3.2)$ lies. `height` also takes many places at once, so we can ask for a whole grid of them and
# draw the land, once as one would see it from an aeroplane, and once as a map. A line on the map joins places of the same height, and
# the darker, the higher. (Between two lines there is always the same area, not the same height: otherwise you would see nothing of
# the bottom.)


# %% jupyter={"source_hidden": true}
def grid(box, n=61):
    """All places in a box (west, east, south, north): an array (2, n, n)."""
    return np.stack(
        np.meshgrid(np.linspace(*box[:2], n), np.linspace(*box[2:], n)), axis=0
    )


def draw_map(ax, height, box):
    """A map with eight shades, all of the same area."""
    places = grid(box)
    z = height(tg.tensor(places)).numpy()
    levels = np.quantile(z, np.linspace(0, 1, 9))
    ranks = np.interp(z, levels, range(9))
    ax.contourf(*places, ranks, levels=range(9), cmap="Greys", vmax=14)
    look = {"colors": "#9a9aaa", "linewidths": 0.5, "antialiased": False}
    ax.contour(*places, z, levels=levels[1:-1], **look)
    ax.set(xlabel="a", ylabel="b", xlim=box[:2], ylim=box[2:], aspect="equal")
    ax.grid(False)


def still(figure):
    """Find a place for everything once, not for each page of a book again."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    plt.close(figure)  # the book shows it


def draw_land(view, height, box):
    """The same as a surface, seen from the side."""
    places = grid(box, 21)
    z = height(tg.tensor(places)).numpy()
    colors = plt.get_cmap("Blues", 12)(0.1 + 0.6 * z / z.max())
    view.plot_surface(
        *places, z, facecolors=colors, shade=False, edgecolor="#8a8a9a", lw=0.2
    )
    view.set(xlabel="a", ylabel="b")
    view.tick_params(labelsize=7)


VALLEY = (-2, 3, -2, 4)
figure = plt.figure(figsize=(7.5, 3.6))
view = figure.add_subplot(1, 2, 1, projection="3d")
draw_land(view, valley, VALLEY)
view.view_init(40, -35)
ax = figure.add_subplot(1, 2, 2)
draw_map(ax, valley, VALLEY)
plt.show()

# %% [markdown]
# A long valley, with steep sides and a nearly level floor. Down there lies the best line.
#
# ## Feel the slope, take a step
#
# In the fog there is no map. But `backward` tells how fast the height grows eastwards ($\partial L / \partial a$) and northwards
# ($\partial L / \partial b$; $L$ is the height). These two numbers together, the gradient, are an arrow that points *straight uphill*, and is long
# where it is steep. So go the other way, a part $\eta$ (eta) of the arrow's length:
#
# $$w \leftarrow w - \eta\, g$$
#
# with $g$ for the gradient. This is **gradient descent**, $\eta$ is the **learning rate** (`lr` in programs), and the package
# calls it `SGD`; the S comes later. Here is the walk, for any optimizer. (`partial(optim.SGD, lr=0.1)` is a function: `SGD` with
# `lr` already filled in.)


# %%
def walk(height, start, make, steps):
    """Where an optimizer leads from the start: all places, that of each step."""
    w = tg.tensor(start, requires_grad=True)
    optimizer = make([w])
    path = [w.numpy(force=True).copy()]
    for _ in range(steps):
        optimizer.zero_grad()
        height(w).sum().backward()  # a sum, for many walkers at once
        optimizer.step()
        path.append(w.numpy(force=True).copy())
    return np.array(path)


start = [-1.0, 3.2]
path = walk(valley, start, partial(optim.SGD, lr=0.1), 60)

# %% [markdown]
# Move the slider, or press ▶. On the right is the place on the map, on the left the line that belongs to it. The next step is drawn
# in red.


# %% jupyter={"source_hidden": true}
def heights(path, height):
    """The height at every place of a path."""
    return height(tg.tensor(np.moveaxis(path, 1, 0))).numpy()


def line_pages(steps):
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.6, 3.1))
    left.scatter(x.numpy(), y.numpy(), 24, "C5", zorder=3)
    (rule,) = left.plot([], [], color="C0")
    left.set(xlim=(0, 3.1), ylim=(-0.5, 4), xlabel="x", ylabel="y")
    draw_map(right, valley, VALLEY)
    look = {"markersize": 4, "linewidth": 1, "color": "C0"}
    (trail,) = right.plot([], [], ".-", **look)
    (here,) = right.plot([], [], "o", color="C0")
    (ahead,) = right.plot([], [], color="C4", linewidth=2.5)
    right.set_title("step")
    still(figure)
    for step in steps:
        a, b = path[step]
        rule.set_data([0, 3.1], [b, 3.1 * a + b])
        left.set_title(f"the line {a:.2f}·x {b:+.2f}".replace("-", "−"))
        trail.set_data(*path[: step + 1].T)
        here.set_data([a], [b])
        ahead.set_data(*path[step : step + 2].T)
        right.set_title(f"step {step}: height {heights(path, valley)[step]:.3f}")
        yield figure


Flipbook(line_pages([0, 1, 2, 3, 6, 15, 59]), title="a line on its way down")

# %% [markdown]
# Every step stands at a right angle on the line of equal height through its place: that is what straight down *means*. But straight
# down is not where the lowest point is! The first steps go down the steep side. Then only the gentle slope of the valley's floor
# is left to follow, and the steps become tiny.
#
# ## Too short, right, too long
#
# How long should a step be? Leave $b$ where it belongs and let only $a$ move. The land is then a curve, and for a line it is a
# parabola. How strongly it bends, its *curvature* $c$, is the derivative of the derivative. Autograd finds that too, by walking
# back twice ([`hessian`](../tinygrad_edu/autograd/functional.py)):

# %%
# the lowest place of all, from linear algebra
best = np.linalg.lstsq(np.stack([x.numpy(), np.ones(12)], 1), y.numpy())[0]


def bowl(a):
    return valley(tg.stack([a, tg.full_like(a, best[1])]))


c = hessian(bowl, tg.tensor(0.0)).item()
print(f"curvature: {c:.3f}   1/c: {1 / c:.3f}   2/c: {2 / c:.3f}")

# %% [markdown]
# Here are four learning rates. Guess before you move the slider: which one arrives first?


# %% jupyter={"source_hidden": true}
def bowl_pages(rates, steps):
    figure, axes = plt.subplots(1, 4, figsize=(8, 2.5), sharey=True)
    across = np.linspace(-2, 3.8, 100)
    walks = []
    for ax, lr in zip(axes, rates, strict=True):
        path = walk(bowl, -1.0, partial(optim.SGD, lr=lr), max(steps))
        ax.plot(across, bowl(tg.tensor(across)).numpy(), color="C5", linewidth=1)
        (trail,) = ax.plot([], [], ".-", color="C0", linewidth=1)
        (here,) = ax.plot([], [], "o", color="C0")
        walks.append((path, bowl(tg.tensor(path)).numpy(), trail, here))
        ax.set(xlim=(-2, 3.8), ylim=(-1, 22), xlabel="a", xticks=[-2, 0, 2])
        ax.set_title(f"η = {lr:.3f}")
    axes[0].set_ylabel("height")
    figure.suptitle("step")
    still(figure)
    for step in steps:
        for path, up, trail, here in walks:
            trail.set_data(path[: step + 1], up[: step + 1])
            here.set_data(path[[step]], up[[step]])
        figure.suptitle(f"step {step}")
        yield figure


rates = [0.1 / c, 1 / c, 1.8 / c, 2.05 / c]
Flipbook(bowl_pages(rates, [0, 1, 2, 3, 5, 20]), title="four learning rates")

# %% [markdown]
# - **Too low**: it creeps. Nothing goes wrong, it only takes for ever.
# - **$1/c$**: there in one step. But who knows $c$?
# - **Higher**: every step goes too far, up the other side (it *overshoots*), and the walk swings to and fro.
# - **Above $2/c$**: each swing is larger than the one before, and the walk flies out of the valley. In a training that shows as a
#   loss that grows and grows until it is `nan`.
#
# One line of algebra explains all four. In a parabola with its bottom at $a^*$ the slope is $c\,(a - a^*)$, so after a step
#
# $$a_{\text{new}} - a^* = (1 - \eta\, c)\,(a - a^*)$$
#
# Each step multiplies the distance from the bottom by $1 - \eta c$. Between 0 and 1 it shrinks; negative means the other side;
# below −1 it grows. Measured:

# %%
print("η        1 − η·c  measured")
for lr in rates:
    distance = walk(bowl, -1.0, partial(optim.SGD, lr=lr), 1) - best[0]
    print(f"{lr:.4f} {1 - lr * c:9.3f} {round(distance[1] / distance[0], 3) + 0:9.3f}")

# %% [markdown]
# You will find the rule "best near $1/c$, hopeless above $2/c$" in Y. LeCun, L. Bottou, G. Orr and K.-R. Müller, [*Efficient
# BackProp*](http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf) (1998).
#
# ## Many valleys
#
# The land of a line has one valley. Now another model with one weight: a wave $\sin(a \cdot x)$, whose frequency $a$ is to be
# found from 30 points ($a = 3$ is right). We let 109 walkers start at once, each at another place. They do not know of each other:
# every operation and every optimizer here treats each number by itself.


# %%
def sine(x, a, b):
    return tg.sin(a * x + b)


hills = landscape(sine, *points(lambda x: np.sin(3 * x), -2, 2, 0.1, 30))


def cut(a):  # the land along b = 0
    return hills(tg.stack([a, tg.zeros_like(a)]))


starts = np.linspace(1.1, 11.9, 109)
ends = walk(cut, starts, partial(optim.SGD, lr=0.1), 300)[-1]

# %% jupyter={"source_hidden": true}
figure, (above, below) = plt.subplots(
    2, 1, figsize=(7, 3.8), sharex=True, height_ratios=[3, 2]
)
across = np.linspace(1, 12, 400)
above.plot(across, cut(tg.tensor(across)).numpy(), color="C5", linewidth=1)
for k, low in enumerate([3, 6.4, 11.2]):
    here = abs(ends - low) < 0.3
    above.scatter(starts[here], cut(tg.tensor(starts[here])).numpy(), 12, f"C{k}")
    below.plot([starts[here], ends[here]], [1, 0], color=f"C{k}", linewidth=0.6)
    below.scatter(ends[here], 0 * starts[here], 30, f"C{k}", zorder=3)
above.set(ylabel="height")
below.set(xlabel="a", yticks=[0, 1], yticklabels=["end", "start"], xlim=(1, 12))
plt.show()

# %% [markdown]
# Everyone goes down, and everyone is content in the end: no slope is left. But only the blue ones have found the wave. The others
# sit in **local minima**, valleys that are not the deepest, and from inside nobody can tell. What decides is where you start. So
# the oldest remedy is still a good one: start several times, from other random weights, and keep the best.
#
# (With millions of weights the land looks different: there is nearly always *some* direction that leads further down, so a walk
# is slowed by *saddles*, of which more below, rather than held by local minima. Y. Dauphin and others, [*Identifying and attacking the
# saddle point problem*](https://arxiv.org/abs/1406.2572), 2014.)
#
# ## The trouble with long valleys
#
# Back to the line. With two weights there are two curvatures, one across the valley and one along it. The `hessian`, the matrix of
# all second derivatives, knows them: they are its *eigenvalues*.

# %%
H = hessian(valley, tg.tensor(start)).numpy()
along, across = np.linalg.eigvalsh(H)
kappa = across / along
print(
    f"curvature along {along:.3f}, across {across:.3f}: κ = {kappa:.1f} times as much"
)

# %% [markdown]
# One learning rate must do for both. Above $2/8.58 = 0.233$ the walk flies off across the valley; but along the valley even such a
# step takes away only a tenth of the distance. Here are three rates: one too low, the best one, and one close to the limit.

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(8, 3.4), sharey=True)
for ax, lr in zip(axes, [0.03, 2 / (along + across), 0.232], strict=True):
    draw_map(ax, valley, VALLEY)
    path = walk(valley, start, partial(optim.SGD, lr=lr), 30)
    ax.plot(*path.T, ".-", color="C0", linewidth=1, markersize=5)
    ax.scatter(*best, 60, "C4", marker="x", zorder=3)
    ax.set_title(f"η = {lr:.3f}, 30 steps\nheight {heights(path, valley)[-1]:.4f}")
plt.show()

# %% [markdown]
# G. Goh's article [*Why momentum really works*](https://distill.pub/2017/momentum/) (2017) works out how good gradient descent can
# be here. The best rate is $2 / (c_{\text{along}} + c_{\text{across}})$, and with it each step multiplies the distance by
#
# $$\frac{\kappa - 1}{\kappa + 1}$$
#
# where κ (kappa), the *condition number*, says how many times as steep the sides are as the floor. Does it?


# %%
def shrinks(path):
    """By what a step multiplies the distance from the bottom: the mean of steps 20 to 40."""
    distance = np.linalg.norm(path - best, axis=1)
    return (distance[40] / distance[20]) ** (1 / 20)


fastest = walk(valley, start, partial(optim.SGD, lr=2 / (along + across)), 60)
print(f"Goh: {(kappa - 1) / (kappa + 1):.4f}   measured: {shrinks(fastest):.4f}")

# %% [markdown]
# A factor of 0.894 means 62 steps until the distance is a thousandth. And this valley is harmless: those of networks are far longer
# (L. Sagun, L. Bottou, Y. LeCun, [*Eigenvalues of the Hessian in deep learning*](https://arxiv.org/abs/1611.07476), 2016). There are
# three ways out. The first is to change **the land**. Subtract the mean from the inputs and divide by their standard
# deviation, and the same twelve points make another valley:

# %%
standard = (x - x.mean()) / x.std(correction=0)
round_valley = landscape(line, standard, y)
curvatures = np.linalg.eigvalsh(hessian(round_valley, tg.tensor(start)).numpy())
print("curvatures:", curvatures.round(3))

figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.4), sharey=True)
for ax, height, name in zip(
    axes, [valley, round_valley], ["x as it is", "x standardised"], strict=True
):
    draw_map(ax, height, VALLEY)
    path = walk(height, start, partial(optim.SGD, lr=0.2), 15)
    ax.plot(*path.T, ".-", color="C0", linewidth=1, markersize=5)
    ax.set_title(f"{name}, 15 steps of η = 0.2")
plt.show()

# %% [markdown]
# Round as a bowl: now straight down is where the lowest point is. This is why [tutorial 8](08_iris.ipynb) standardises its
# columns, and why there are layers that do the same in the middle of a network
# ([`BatchNorm`](../tinygrad_edu/nn/normalization.py)). The other two ways out change **the walk**.
#
# ## Momentum, or your own optimizer in five lines
#
# Give the walker weight. A heavy ball does not turn at every pebble: it keeps most of its velocity $v$, and the slope only adds to
# it (B. Polyak, 1964). Across the valley the slopes change sign all the time and cancel; along it they add up.
#
# $$v \leftarrow \mu\, v + g \qquad w \leftarrow w - \eta\, v$$
#
# With $\mu = 0$ (mu) nothing is kept, and this is gradient descent. An optimizer of your own writes one method, `update`. It is
# called for each parameter, with the array `p` to be changed, its gradient `g`, a dictionary `state` that belongs to this parameter and
# lasts, and `group`, the settings:


# %%
class Momentum(optim.Optimizer):
    def update(self, p, g, state, group):
        state["v"] = group["mu"] * state.get("v", 0) + g
        p -= group["lr"] * state["v"]


root = np.sqrt(kappa)
mu = ((root - 1) / (root + 1)) ** 2
lr = (2 / (np.sqrt(along) + np.sqrt(across))) ** 2
ours = partial(Momentum, defaults={"lr": lr, "mu": mu})
theirs = partial(optim.SGD, lr=lr, momentum=mu)
path = walk(valley, start, ours, 60)
print("lr and mu:", lr.round(4), mu.round(4))
print("the same as SGD's momentum:", np.allclose(path, walk(valley, start, theirs, 60)))

# %% [markdown]
# Four lines, even. `zero_grad`, the loop over the parameters, groups, saving and loading come from
# [`Optimizer`](../tinygrad_edu/optim/optimizer.py). And it goes the same way, to the last digit, as the package's
# [`SGD(momentum=...)`](../tinygrad_edu/optim/sgd.py), which computes what
# [PyTorch's](https://pytorch.org/docs/stable/generated/torch.optim.SGD.html) does. (The values of `lr` and `mu` are Goh's best ones for this
# valley. He says that a step then multiplies the distance by $(\sqrt\kappa - 1) / (\sqrt\kappa + 1)$, in the long run. Notice
# the rate: 0.3 is above the limit of gradient descent, but momentum bears it.)

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4))
draw_map(left, valley, VALLEY)
for color, name, way, rate in [
    ("#1c1c28", "gradient descent", fastest, (kappa - 1) / (kappa + 1)),
    ("C0", "momentum", path, (root - 1) / (root + 1)),
]:
    left.plot(*way[:16].T, ".-", color=color, linewidth=1, markersize=5)
    distance = np.linalg.norm(way - best, axis=1)
    right.plot(distance, color=color, label=name)
    right.plot(distance[0] * rate ** np.arange(61), ":", color=color, linewidth=1.5)
left.set_title("15 steps")
right.set(
    yscale="log", xlabel="step", ylabel="distance from the bottom", ylim=(1e-9, 9)
)
right.legend()
plt.show()

# %% [markdown]
# The dotted lines are Goh's factors, 0.894 (hidden by its curve) and 0.617 (the curve becomes as steep as that in the end). Momentum
# needs a third of the steps, for nothing more than a running sum.
#
# **Which formula?** In many books the learning rate stands in the first line: $v \leftarrow \mu v + \eta g$, $w \leftarrow w - v$
# (I. Sutskever and others, [*On the importance of initialization and momentum in deep
# learning*](https://proceedings.mlr.press/v28/sutskever13.html), 2013). Is that the same? PyTorch's page says: not quite. Here are the
# lengths of the steps of both. After ten of them the learning rate is divided by ten:


# %%
class Sutskever(optim.Optimizer):
    def update(self, p, g, state, group):
        state["v"] = group["mu"] * state.get("v", 0) + group["lr"] * g
        p -= state["v"]


lengths = {}
for kind in (Momentum, Sutskever):
    w = tg.tensor(start, requires_grad=True)
    optimizer = kind([w], {"lr": 0.02, "mu": 0.9})
    lengths[kind] = []
    for step in range(1, 16):
        if step == 11:
            optimizer.param_groups[0]["lr"] /= 10
        before = w.detach().clone()
        optimizer.zero_grad()
        valley(w).backward()
        optimizer.step()
        lengths[kind].append((w.detach() - before).norm().item())
print("step  Momentum  Sutskever")
for step in (1, 2, 9, 10, 11, 12, 15):
    print(f"{step:4}", *(f"{long[step - 1]:9.4f}" for long in lengths.values()))

# %% [markdown]
# Equal, as long as the rate is. When it falls, PyTorch's formula brakes at once; in the other one the velocity was collected at the
# old rate, and must first run out.
#
# ## The S in SGD
#
# A slope need not be exact. With a million samples, one honest gradient costs a million forward and backward passes. *Stochastic*
# gradient descent asks only a few samples, drawn anew for each step. On the left are the arrows downhill that each of the twelve
# points would choose by itself, and their mean, the true one. In the middle and on the right walks that ask two points each time:

# %%
dice = np.random.default_rng(1)


def asked(height, n, size=2):
    """The height according to a few points, drawn anew each time."""
    return lambda w: height(w, dice.integers(0, n, size))


noisy = {
    lr: walk(asked(valley, 12), start, partial(optim.SGD, lr=lr), 400)
    for lr in (0.1, 0.02)
}

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(8, 3.4), sharey=True)
place = np.array([0.2, 1.0])
for ax in axes:
    draw_map(ax, valley, VALLEY)
slopes = []
for i in range(12):
    w = tg.tensor(place, requires_grad=True)
    valley(w, [i]).backward()
    slopes.append(-0.2 * w.grad.numpy())
to_scale = {"angles": "xy", "scale_units": "xy", "scale": 1}
axes[0].quiver(
    *np.tile(place, (12, 1)).T, *np.array(slopes).T, color="C1", width=0.008, **to_scale
)
axes[0].quiver(*place, *np.mean(slopes, 0), color="C4", width=0.02, **to_scale)
axes[0].set_title("each point's wish, and their mean")
for ax, (lr, path) in zip(axes[1:], noisy.items(), strict=True):
    ax.plot(*path.T, ".-", color="C1", linewidth=0.7, markersize=3)
    ax.scatter(*best, 60, "C4", marker="x", zorder=3)
    ax.set_title(f"η = {lr}, 400 steps")
plt.show()

# %% [markdown]
# The points do not agree, but on average they are right. So SGD staggers downhill, at a sixth of the cost of each step. It never
# comes to rest: the cloud at the end is the smaller, the lower the rate. Therefore one usually begins with a high rate and lowers
# it on the way ([`lr_scheduler`](../tinygrad_edu/optim/lr_scheduler.py)).
#
# ## A rate for every weight
#
# The last way out: let each weight have a learning rate of its own, found from the gradients that it has seen. In a direction that
# is always steep go carefully, in a flat one take long steps. Four classic ones, in which all is done for each weight by itself
# (their code, with the sources: [adaptive.py](../tinygrad_edu/optim/adaptive.py); in exercise 2 you write one):
#
# | | | |
# |---|---|---|
# | **Adagrad** (2011) | $s \leftarrow s + g^2$, $\quad w \leftarrow w - \eta\, g / \sqrt{s}$ | divides by the root of all squared slopes so far |
# | **RMSprop** (2012) | $s \leftarrow \alpha s + (1 - \alpha) g^2$, $\quad w \leftarrow w - \eta\, g / \sqrt{s}$ | the same, but old slopes are forgotten |
# | **Adadelta** (2012) | RMSprop, with $\eta \sqrt{u}$ for $\eta$ | $u$: the mean of its own squared steps of late |
# | **Adam** (2015) | RMSprop, with the mean of recent slopes for $g$ | momentum too; both means corrected for beginning at 0 |
#
# All but the first keep means of the form "old · α + new · (1 − α)": with $\alpha = 0.9$ about the last ten steps count.
#
# Divided by its own size, a slope loses its size. See what that means: the very first step from our start, and from the same place in a land
# that is a hundred times as high.

# %%
adaptive = {
    "GD": partial(optim.SGD, lr=0.1),
    "Adagrad": partial(optim.Adagrad, lr=0.1),
    "RMSprop": partial(optim.RMSprop, lr=0.1, alpha=0.9),
    "Adadelta": partial(optim.Adadelta, lr=0.1),
    "Adam": partial(optim.Adam, lr=0.1),
}


def higher(w):
    return 100 * valley(w)


print("          first step           in the land 100 times as high")
for name, make in adaptive.items():
    steps = [
        np.diff(walk(land, start, make, 1), axis=0)[0] for land in (valley, higher)
    ]
    print(f"{name:9}", *(f"a {a:+9.4f}  b {b:+9.4f}    " for a, b in steps))

# %% [markdown]
# Gradient descent takes a step a hundred times as long, and flies off. The others do not notice at all. Adagrad and Adam move each
# weight by exactly $\eta$ in their first step, up or down, however large the slope is. That makes their $\eta$ easy to choose:
# "how far shall a weight move in a step?" (Their paper calls this a *trust region*: D. Kingma and J. Ba,
# [*Adam*](https://arxiv.org/abs/1412.6980), section 2.1.) The price: they do not go straight downhill, but at first diagonally.
#
# ## The race
#
# Three lands, two weights each, and seven walkers. (Races like this became known by Alec Radford's animations; you find them in
# [CS231n's notes](https://cs231n.github.io/neural-networks-3/).) The valley you know; the other two are these models:
#
# - **a saddle**: a small network with one hidden neuron, $b \cdot \tanh(a \cdot x)$. Where both weights are 0 there is a pass between
#   two valleys: up on two sides, down on the other two, and level in the middle. There are two valleys because changing both signs
#   changes nothing: $(a, b)$ and $(-a, -b)$ are the same function.
# - **hills**: the wave again, now $\sin(a \cdot x + b)$ with a phase.


# %%
def neuron(x, a, b):
    return b * tg.tanh(a * x)


saddle = landscape(neuron, *points(lambda x: 1.2 * np.tanh(1.5 * x), -2, 2, 0.2, 20))
lands = {  # the land, its size, how many points it is made of, and where they start
    "valley": (valley, VALLEY, 12, start),
    "saddle": (saddle, (-1, 3, -1, 2.5), 20, [0.02, 0.03]),
    "hills": (hills, (0, 8, -3.2, 3.2), 30, [5.6, -1.2]),
}

# %% jupyter={"source_hidden": true} tags=["cover"]
figure = plt.figure(figsize=(8, 3))
for k, (name, (height, box, _, first)) in enumerate(lands.items()):
    view = figure.add_subplot(1, 3, k + 1, projection="3d", computed_zorder=False)
    draw_land(view, height, box)
    top = height(tg.tensor(first)).item()
    view.plot(*first, top, "o", color="C4", markersize=8, zorder=5)
    view.set_title(name)
    view.view_init(45, -60)
plt.show()

# %% [markdown]
# The racers, each with a learning rate that suits it (why not the same one for all? See below):

# %%
racers = {
    "GD": partial(optim.SGD, lr=0.1),
    "SGD": partial(optim.SGD, lr=0.1),  # asks only two points each time
    "momentum": partial(optim.SGD, lr=0.05, momentum=0.9),
    "Adagrad": partial(optim.Adagrad, lr=0.5),
    "RMSprop": partial(optim.RMSprop, lr=0.05, alpha=0.9),
    "Adadelta": partial(optim.Adadelta, lr=10),
    "Adam": partial(optim.Adam, lr=0.2),
}
tracks = {
    (land, name): walk(asked(height, n) if name == "SGD" else height, first, make, 60)
    for land, (height, _, n, first) in lands.items()
    for name, make in racers.items()
}

# %% jupyter={"source_hidden": true}
COLORS = ["#1c1c28", "C1", "C0", "C2", "C3", "#8a6d00", "C4"]
LOOKS = dict(zip(racers, zip(COLORS, "oXs^vPD", strict=True), strict=True))


def race_pages(steps):
    figure = plt.figure(figsize=(8, 3.3))
    figure.set_layout_engine("none")
    axes = [figure.add_axes((0.005 + 0.333 * k, 0.1, 0.323, 0.74)) for k in range(3)]
    trails = {}
    for ax, (land, (height, box, *_)) in zip(axes, lands.items(), strict=True):
        draw_map(ax, height, box)
        ax.set(title=land, xlabel="", ylabel="", xticks=[], yticks=[], aspect="auto")
        for name, (color, marker) in LOOKS.items():
            look = {"color": color, "marker": marker, "markeredgecolor": "white"}
            (trails[land, name],) = ax.plot(
                [], [], linewidth=1.2, markersize=8, markevery=[-1], **look
            )
    for k, (name, (color, marker)) in enumerate(LOOKS.items()):
        place = {"transform": figure.transFigure, "clip_on": False}
        axes[0].plot(0.07 + 0.13 * k, 0.045, marker, color=color, **place)
        figure.text(0.085 + 0.13 * k, 0.03, name, fontsize=9)
    plt.close(figure)
    for step in steps:
        for key, trail in trails.items():
            trail.set_data(*tracks[key][: step + 1].T)
        figure.suptitle(f"step {step}")
        yield figure


Flipbook(
    race_pages([*range(6), 8, 10, 12, 15, 18, 22, 30, 40, 60]),
    title="seven optimizers race in three lands",
)

# %% [markdown]
# How many steps did each need for nine tenths of the way down?

# %%
print("        ", *(f"{name:>9}" for name in racers))
for land, (height, *_) in lands.items():
    ups = np.array([heights(tracks[land, name], height) for name in racers])
    left = (ups - ups.min()) / (ups[0, 0] - ups.min())  # of the way down
    needed = [np.flatnonzero(row < 0.1)[:1] for row in left]
    print(f"{land:8}", *(f"{steps[0] if len(steps) else '-':>9}" for steps in needed))

# %% [markdown]
# - **Valley.** Momentum is the first at the bottom, shoots past it and comes back; so does Adam. Gradient descent creeps along the
#   floor. SGD needs half as many steps again, but each is six times cheaper; it only cannot settle. A rate for each weight helps
#   little here: the valley lies diagonally, so that both weights feel the same steep sides. (In a valley along an axis it helps
#   much.)
# - **Saddle.** On the pass it is almost level, so a step in proportion to the slope is next to nothing: gradient descent and momentum
#   stand around for eight steps or so. Adagrad, RMSprop and Adam divide by the size of the slope, and walk off at once.
# - **Hills.** Adagrad, Adam and momentum are soon in the deepest valley, and gradient descent is on its way. RMSprop and Adadelta
#   slide into another one beyond the lower edge, and SGD gets lost.
#
# Why is it so level on the pass? Here is the network's answer for $x = 1.5$, with its slopes in the right halves of the cards. On
# the way back the one for `a` is multiplied by `b`, and the one for `b` by `tanh(a·x)`: both are small. **Begin with all weights
# at 0, and nothing is ever learnt**; that is why weights begin at random.

# %%
a, b = (tg.tensor(v, requires_grad=True) for v in (0.02, 0.03))
answer = b * tg.tanh(a * 1.5)
answer.backward()
tg.draw(answer)

# %% [markdown]
# And the hills: is Adam cleverer than gradient descent? We chose one start, for a good show. Here are 500 others, all over the land:
# how many of them are in the deepest valley after 100 steps?

# %%
everywhere = rng.uniform([[0], [-3.2]], [[8], [3.2]], (2, 500))
for name, make in racers.items():
    height = asked(hills, 30) if name == "SGD" else hills
    last = hills(tg.tensor(walk(height, everywhere, make, 100)[-1]))
    print(f"{name:9} {(last < 0.1).float().mean().item():.0%}")

# %% [markdown]
# Hardly a difference. None of them can see through a hill: they differ in how fast they get down, and *where* is decided by the
# start.
#
# ## Which rate, which optimizer?
#
# The racers had a rate each. What if they get another one? The valley again, 50 steps, and how high
# above the bottom each one still is during the last ten, at most:

# %%
rates = np.logspace(-3, 1.25, 11)
bottom = valley(tg.tensor(best)).item()
figure, ax = plt.subplots(figsize=(7, 3.4))
for name, make in racers.items():
    if name != "SGD":
        color, marker = LOOKS[name]
        paths = [walk(valley, start, partial(make, lr=lr), 50) for lr in rates]
        left = [heights(path, valley)[40:].max() - bottom for path in paths]
        ax.plot(rates, left, color=color, marker=marker, markersize=5, label=name)
ax.set(xscale="log", yscale="log", ylim=(1e-3, 9))
ax.set(xlabel="learning rate η", ylabel="height above the bottom")
ax.legend(fontsize=8, loc="lower left")
plt.show()

# %% [markdown]
# - On the left all curves are high: too low a rate is bad for everybody.
# - Gradient descent is best just before it flies off, and then there is a cliff: an uncomfortable place for a best value.
# - Momentum and Adam are good over a factor of ten or more. Adagrad forgives even rates that are far too high, since they make its
#   sum of squares large, too.
# - "η = 0.1" means something else to each of them. Whoever compares optimizers at one rate compares nothing.
#
# So what do people use? Adam with 0.001 is where most begin, because it needs the least searching. SGD with momentum, with a rate
# that was searched for and is lowered on the way, often does better on unseen data in the end (A. Wilson and others, [*The marginal
# value of adaptive gradient methods*](https://arxiv.org/abs/1705.08292), 2017).
#
# ## What to take along
#
# - The weights are a place, the loss is the height, and the gradient points straight uphill. The lowest point is elsewhere.
# - Best near 1 / curvature, hopeless above 2 / curvature. Long valleys have two curvatures and only one rate: the steep one sets
#   the limit, the flat one makes you wait.
# - Standardise (a rounder land), add momentum (a heavier walker), or give each weight a rate of its own (Adam and its relatives).
# - Noise is cheap: SGD goes on a few samples. Lower the rate to settle.
# - Nobody sees through a hill. Start again from elsewhere.
# - An optimizer is a few lines around `p -= lr * something`.
#
# ## Exercise 1: by hand
#
# The loss is $L = 3\,(w - 2)^2$, and you stand at $w = 0$. Where are you after one step of gradient descent with $\eta = 0.1$? With
# which $\eta$ would one step have taken you to the bottom? Above which $\eta$ does the walk fly off?

# %% tags=["exercise"]
after_one_step = ...
to_the_bottom = ...
flies_off_above = ...

# %% jupyter={"source_hidden": true} tags=["check"]
with check(after_one_step, to_the_bottom, flies_off_above):
    near = partial(np.isclose, rtol=0.01)
    assert not near(after_one_step, -1.2), "that is uphill: subtract the gradient."
    assert not near(after_one_step, 0.6), (
        "0.6 comes from the slope 3·(w − 2); the derivative of a square brings a 2."
    )
    assert near(after_one_step, 1.2), (
        f"not {after_one_step:.3g}: the slope is 2·3·(w − 2); which number is that at w = 0?"
    )
    assert not near(to_the_bottom, 1 / 3), (
        "1/3 would be right for a curvature of 3. Take the derivative twice."
    )
    assert near(to_the_bottom, 1 / 6), (
        f"with η = {to_the_bottom:.3g} the step ends at {12 * to_the_bottom:.3g}, and the bottom is at 2."
    )
    assert near(flies_off_above, 1 / 3), (
        f"not {flies_off_above:.3g}: a step multiplies the distance by 1 − η·c. When is that below −1?"
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# The slope is 6·(w − 2), at w = 0 it is −12, so the step goes to 0 + 0.1 · 12. The curvature is 6: there in one step with 1/6, and
# flying off above 2/6.
#
# ```python
# after_one_step = 1.2
# to_the_bottom = 1 / 6
# flies_off_above = 1 / 3
# ```
#
# </details>

# %% [markdown]
# ## Exercise 2: your own Adam
#
# Write Adam. In words: `m` is a mean of recent slopes, `v` one of recent squared slopes, $t$ counts the steps, and
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, g \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2 \qquad
# p \leftarrow p - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}$$
#
# The settings are in `group["lr"]`, `group["betas"]` (a pair) and `group["eps"]`. Keep $t$, $m$ and $v$ in `state`, and change `p`
# in place.


# %% tags=["exercise"]
class MyAdam(optim.Optimizer):
    def update(self, p, g, state, group):
        raise NotImplementedError  # your code here


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    settings = {"lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-3}

    def journey(make):
        w, u = (tg.tensor(v, requires_grad=True) for v in ([1.0, -2.0], [0.5, 3.0]))
        optimizer = make([w, u])
        for step in range(1, 7):
            optimizer.zero_grad()
            ((w**4).sum() + step * ((u - 1) ** 2).sum()).backward()
            optimizer.step()
            yield w.tolist() + u.tolist()

    mine = np.array(list(journey(partial(MyAdam, defaults=settings))))
    right = np.array(list(journey(partial(optim.Adam, **settings))))
    first = mine[0, :2] - [1.0, -2.0]
    assert np.any(first != 0), (
        "nothing has moved. Change p in place (p -= ...): p = p - ... only makes a new array."
    )
    assert first[0] < 0 < first[1], "the first step goes uphill: subtract."
    hints = {
        0.316: "Correct m and v by 1 − βᵗ: at t = 1 that makes them g and g².",
        0.01: "m is not corrected: divide it by 1 − β₁ᵗ.",
        3.16: "v is not corrected: divide it by 1 − β₂ᵗ.",
        0.025: "Is the root missing?",
        0.1: "Where does ε stand?",
    }
    told = [hints[size] for size in hints if np.isclose(-first[0], size, rtol=0.02)]
    told = [f"the first step moves the first weight by {first[0]:.5f}.", *told]
    assert np.allclose(mine[0, :2], right[0, :2]), " ".join(told)
    assert np.allclose(mine, right), (
        "the first step is right, later ones are not. Does t count the steps? Are t, m and v kept in state? "
        "(In self all parameters would share them.)"
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# class MyAdam(optim.Optimizer):
#     def update(self, p, g, state, group):
#         b1, b2 = group["betas"]
#         t = state["t"] = state.get("t", 0) + 1
#         m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
#         v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * g * g
#         p -= group["lr"] * m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + group["eps"])
# ```
#
# The [package's own](../tinygrad_edu/optim/adaptive.py) is longer only because it makes fewer temporary arrays, to be fast.
#
# </details>

# %% [markdown]
# ## Exercise 3: Rosenbrock's valley
#
# Howard Rosenbrock made this land in 1960 to annoy optimizers: $(1 - a)^2 + 100\,(b - a^2)^2$, a bent valley with sides hundreds of times
# as steep as its floor. The start is $(-1.2, 1)$, 24.2 high; the bottom is at $(1, 1)$, with height 0. Get below 0.01 in 200 steps, with any
# optimizer of the package, or with one of your own. (Gradient descent alone cannot do it.)

# %% tags=["exercise"]
make = ...  # such as partial(optim.SGD, lr=0.001)

# %% jupyter={"source_hidden": true} tags=["check"]
with check(make), np.errstate(all="ignore"):

    def banana(w):
        a, b = w
        return (1 - a) ** 2 + 100 * (b - a**2) ** 2

    track = walk(banana, [-1.2, 1.0], make, 200)
    up = heights(track, banana)
    flown = np.flatnonzero(~(up < 1e3))
    _, ax = plt.subplots(figsize=(4.5, 3.4))
    draw_map(ax, banana, (-2, 2, -1, 3))
    ax.plot(*track[: flown[0] if len(flown) else None].T, ".-", lw=1, markersize=4)
    ax.scatter(1, 1, 60, "C4", marker="x", zorder=3)
    plt.show()
    assert not len(flown), f"it flew off in step {flown[0]}: a lower rate?"
    assert up[-1] < 0.01, (
        f"after 200 steps the height is {up[-1]:.3g}, at ({track[-1][0]:.2f}, {track[-1][1]:.2f}). "
        + ("Still on its way: faster?" if up[-1] < up[-20] else "It swings: gentler?")
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# Momentum that keeps nearly everything, with a rate that the steep sides allow (Nesterov's variant measures the slope a bit further
# ahead, and swings less). Adam arrives with `lr=0.1` if it forgets faster than usual: `betas=(0.9, 0.9)`.
#
# ```python
# make = partial(optim.SGD, lr=0.001, momentum=0.95, nesterov=True)
# ```
#
# </details>

# %% [markdown]
# ## The code behind it
#
# - [`Optimizer`](../tinygrad_edu/optim/optimizer.py), the base of all; [`SGD`](../tinygrad_edu/optim/sgd.py);
#   [`Adagrad`, `RMSprop`, `Adadelta`, `Adam`](../tinygrad_edu/optim/adaptive.py) and their relatives
# - [`lr_scheduler`](../tinygrad_edu/optim/lr_scheduler.py): rates that change on the way
# - [`hessian`](../tinygrad_edu/autograd/functional.py): second derivatives; [`Flipbook`](../tinygrad_edu/plot.py)
#
# **Back:** [5. Three classes, three losses](05_three_classes_three_losses.ipynb). **Next:** [7. The multilayer perceptron by
# hand](07_multilayer_perceptron_by_hand.ipynb) walks downhill with hidden neurons.
