# %% [markdown]
# # 7. The multilayer perceptron by hand
#
# **A neuron in the middle of a network has no target. How can it know what it did wrong?**
#
# [Tutorial 4](04_perceptron_and_linear_classifiers.ipynb) drew three neurons that compute XOR, and left a riddle: the
# perceptron's rule needs a target for every neuron, and a hidden neuron has none. The answer brought networks with hidden layers
# to life (D. Rumelhart, G. Hinton, R. Williams, [*Learning representations by back-propagating
# errors*](https://doi.org/10.1038/323533a0), 1986). Each neuron asks those that listened to it: *how wrong were you, and how much
# of it was my doing?*
#
# Here you compute all of it by hand, for nine numbered neurons, and compare every number with autograd. Then XOR, a small network
# class in NumPy against ours, and handwritten digits. You need tutorials [2](02_backprop_step_by_step.ipynb) and
# [4](04_perceptron_and_linear_classifiers.ipynb). About 30 minutes.

# %%
import itertools
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from tinygrad_edu.data import digits, mnist
from tinygrad_edu.exercises import check
from tinygrad_edu.plot import Flipbook

plt.style.use("tinygrad_edu.figures")

# %% [markdown]
# ## Nine neurons
#
# Three inputs (1, 2, 3), four hidden neurons (4 to 7), two outputs (8, 9). Every neuron listens to all neurons of the layer
# before it. The names:
#
# | | |
# |---|---|
# | $a_k$ | the **activation** of neuron $k$: what it says |
# | $w_{jk}$ | the weight **to** neuron $j$ **from** neuron $k$ |
# | $b_j$ | the bias of neuron $j$ |
# | $z_j$ | what neuron $j$ hears, its bias included: $z_j = b_j + \sum_k w_{jk} a_k$ |
#
# "To" comes first so that $w_{jk}$ stands in row $j$ of a matrix: one row for each neuron, as in tutorial 4. For the hand
# calculation we number with dictionaries, so that `w[8, 4]` is $w_{84}$:

# %%
INPUTS, HIDDEN, OUTPUTS = (1, 2, 3), (4, 5, 6, 7), (8, 9)
a = {1: 1.0, 2: 0.5, 3: -1.0}  # what the inputs say
y = {8: 1.0, 9: 0.0}  # what the outputs should say

rows = {
    4: [0.5, -0.2, 0.1],  # the weights to neuron 4 from 1, 2 and 3
    5: [-0.3, 0.8, 0.5],
    6: [0.7, 0.6, -0.4],
    7: [-0.6, 0.2, 0.3],
    8: [0.4, -0.9, 0.6, 0.2],  # to 8 from 4, 5, 6 and 7
    9: [-0.5, 0.3, 0.8, -0.7],
}
b = {4: 0.1, 5: -0.2, 6: 0.1, 7: 0.3, 8: -0.3, 9: 0.2}

w = {}
for before, layer in [(INPUTS, HIDDEN), (HIDDEN, OUTPUTS)]:
    for j in layer:
        for k, weight in zip(before, rows[j], strict=True):
            w[j, k] = weight

# %% jupyter={"source_hidden": true} tags=["cover"]
PLACES = {
    j: (2.3 * k, (len(layer) - 1) / 2 - i)
    for k, layer in enumerate([INPUTS, HIDDEN, OUTPUTS])
    for i, j in enumerate(layer)
}
VALUES, GRADIENTS = ("C0", "C1"), ("C2", "C3")  # above and below 0


def short(number):
    return f"{number:.3f}".rstrip("0").rstrip(".").replace("-", "−")


def draw_network(
    ax, inside, edges=w, beside=None, colors=VALUES, lines=w, line_colors=VALUES
):
    """The nine neurons. `inside`: the number of each, to print and to colour it by;
    `edges`: the lines to draw, with their weights where they are few; `beside`: a text
    for a neuron; `lines`: what the thickness and colour of the lines show."""
    thickest = max(map(abs, lines.values()))
    to_one = len({j for j, _ in edges}) == 1
    for j, k in edges:
        source, goal = np.array(PLACES[k]), np.array(PLACES[j])
        ax.plot(
            *np.array([source, goal]).T,
            color=line_colors[int(lines[j, k] < 0)],
            linewidth=0.5 + 3 * abs(lines[j, k]) / thickest,
            alpha=0.9,
            zorder=1,
        )
        if len(edges) < len(w):
            along = 0.36 if to_one else 0.64  # where the lines lie apart
            ax.text(
                *(source + along * (goal - source)),
                short(lines[j, k]),
                fontsize=8,
                ha="center",
                va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.7},
            )
    largest = max(map(abs, inside.values()))
    for j, (x, height) in PLACES.items():
        number = inside.get(j)
        color = "C5" if number is None else colors[int(number < 0)]
        ax.scatter(x, height, 880, "white", edgecolors=color, linewidths=2, zorder=3)
        if number is not None:
            shade = 0.55 * abs(number) / largest
            ax.scatter(x, height, 840, color, alpha=shade, linewidths=0, zorder=4)
            ax.text(
                x, height - 0.13, short(number), fontsize=7, ha="center", va="center"
            )
            height += 0.12
        ax.text(x, height, j, fontsize=9, weight="bold", ha="center", va="center")
    for j, text in (beside or {}).items():
        x, height = PLACES[j]
        ax.text(x + 0.35, height, text, fontsize=8.5, va="center")
    for text in ax.texts:
        text.set_zorder(5)
    ax.set(xlim=(-0.4, 6), ylim=(-1.9, 1.9))
    ax.axis("off")


inputs = {k: a[k] for k in INPUTS}
targets = {j: f"target {y[j]:g}" for j in y}
figure, ax = plt.subplots(figsize=(6, 3.3))
draw_network(ax, inputs, beside=targets)
plt.show()

# %% [markdown]
# Blue weights are positive, orange ones negative, thick ones large. (As everywhere in this course: blue and orange for values,
# green and purple for gradients.)
#
# ## Forward: listen, then speak
#
# A neuron adds up what it hears, and says the sigmoid of that sum:
#
# $$z_j = b_j + \sum_k w_{jk}\, a_k \qquad a_j = \sigma(z_j) = \frac{1}{1 + e^{-z_j}}$$


# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


z = {}
for before, layer in [(INPUTS, HIDDEN), (HIDDEN, OUTPUTS)]:
    for j in layer:
        z[j] = b[j] + sum(w[j, k] * a[k] for k in before)
        a[j] = sigmoid(z[j])
        print(f"neuron {j} hears {z[j]:7.4f} and says {a[j]:.4f}")

# %% [markdown]
# Move the slider through the six sums. Take pencil and calculator for at least one of them.


# %% jupyter={"source_hidden": true}
def products(pairs):
    """A sum as one writes it: + 0.5·1 − 0.2·0.5 ..."""
    return " ".join(
        f"{'−' if first < 0 else '+'} {short(abs(first))}·"
        + (f"({short(second)})" if second < 0 else short(second))
        for first, second in pairs
    )


def page(title, *network, **look):
    figure, ax = plt.subplots(figsize=(5.2, 3.3))
    draw_network(ax, *network, **look)
    ax.set_title(title, fontsize=9)
    plt.close(figure)  # the book shows it
    return figure


def forward_pages():
    known = dict(inputs)
    for before, layer in [(INPUTS, HIDDEN), (HIDDEN, OUTPUTS)]:
        for j in layer:
            known[j] = a[j]
            heard = products([(w[j, k], a[k]) for k in before])
            title = (
                f"neuron {j} hears  {short(b[j])} {heard} = {short(z[j])}\n"
                f"and says  σ({short(z[j])}) = {a[j]:.4f}"
            )
            yield page(title, known, [(j, k) for k in before], targets)


Flipbook(forward_pages(), title="forward, neuron by neuron")

# %% [markdown]
# ## How wrong is it?
#
# Neuron 8 should say 1 and neuron 9 should say 0. The squared error makes one number of that, the **cost** (another word for the
# loss):
#
# $$C = \tfrac{1}{2}\,(a_8 - y_8)^2 + \tfrac{1}{2}\,(a_9 - y_9)^2$$
#
# The ½ is there to cancel the 2 that the derivative brings: $\partial C / \partial a_8 = a_8 - y_8$. But no weight changes $a_8$
# directly. A weight changes $z_8$, and the sigmoid passes that on more or less, depending on its slope there. The slope needs no
# new exponential:
#
# $$\sigma'(z) = \sigma(z)\,(1 - \sigma(z)) = a\,(1 - a)$$

# %%
C = sum((a[j] - y[j]) ** 2 for j in y) / 2
print(f"C = {C:.4f}")

line = np.linspace(-6, 6, 200)
figure, ax = plt.subplots(figsize=(6, 2.8))
ax.plot(line, sigmoid(line), color="C0", label="σ(z)")
ax.plot(line, sigmoid(line) * (1 - sigmoid(line)), color="C2", label="its slope")
for j in z:
    ax.plot(
        [z[j], z[j]], [a[j] * (1 - a[j]), a[j]], "o:", color="C5", markersize=3, lw=1
    )
    up = 0.12 if j in (5, 9) else 0.04  # beside a neighbour
    ax.text(z[j], a[j] + up, j, weight="bold", ha="center")
ax.set(xlabel="z", yticks=[0, 0.25, 0.5, 1])
ax.legend(loc="center left")
plt.show()

# %% [markdown]
# The bold numbers are our six neurons. The slope is never more than ¼, and nearly 0 where a neuron is very sure of itself: such a
# neuron is hard to change, even if it is wrong. Keep that in mind.
#
# ## Backward: who is to blame?
#
# Give every neuron one number, its **delta**: how fast the cost grows when what it *hears* grows.
#
# $$\delta_j = \frac{\partial C}{\partial z_j}$$
#
# For an output neuron that is its error times its slope:

# %%
delta = {}
delta[8] = (a[8] - y[8]) * a[8] * (1 - a[8])
delta[9] = (a[9] - y[9]) * a[9] * (1 - a[9])

# %% [markdown]
# Neuron 4 has no target. But it was heard by 8, with weight $w_{84}$, and by 9, with weight $w_{94}$. If $a_4$ grows by a little,
# $z_8$ grows by $w_{84}$ times as much, and each bit of that costs $\delta_8$. The same by way of 9, and the two effects add up.
# So the deltas come back through the same weights, and there is the answer to our question:
#
# $$\delta_4 = (w_{84}\,\delta_8 + w_{94}\,\delta_9)\; a_4\,(1 - a_4)$$

# %%
delta[4] = (w[8, 4] * delta[8] + w[9, 4] * delta[9]) * a[4] * (1 - a[4])
delta[5] = (w[8, 5] * delta[8] + w[9, 5] * delta[9]) * a[5] * (1 - a[5])
delta[6] = (w[8, 6] * delta[8] + w[9, 6] * delta[9]) * a[6] * (1 - a[6])
delta[7] = (w[8, 7] * delta[8] + w[9, 7] * delta[9]) * a[7] * (1 - a[7])

# %% [markdown]
# From the deltas to the weights it is one step. $w_{84}$ enters $z_8$ as $w_{84}\,a_4$, and $b_8$ as it is, so
#
# $$\frac{\partial C}{\partial w_{jk}} = \delta_j\, a_k \qquad \frac{\partial C}{\partial b_j} = \delta_j$$
#
# A weight is to blame as much as its reader was wrong **and** its writer was loud.

# %%
gradient = {(j, k): delta[j] * a[k] for j, k in w}
print(f"w84: {gradient[8, 4]:.4f}   w94: {gradient[9, 4]:.4f}")

# %% [markdown]
# All of it, page by page; the neurons now show their deltas, in green and purple. On the last page the lines are the gradients of
# the weights.


# %% jupyter={"source_hidden": true}
def backward_pages():
    known = {}
    for j in OUTPUTS:
        known[j] = delta[j]
        title = (
            f"neuron {j} said {a[j]:.4f}; its target is {y[j]:g}\n"
            f"({short(a[j])} − {y[j]:g}) · {short(a[j])}·(1 − {short(a[j])}) = {delta[j]:.4f}"
        ).replace("-", "−")
        yield page(title, known, {}, targets, colors=GRADIENTS)
    for k in HIDDEN:
        known[k] = delta[k]
        arrives = sum(w[j, k] * delta[j] for j in OUTPUTS)
        blame = products([(w[j, k], delta[j]) for j in OUTPUTS]).removeprefix("+ ")
        title = (
            f"to neuron {k} comes  {blame} = {arrives:.4f}\n"
            f"{arrives:.4f} · {short(a[k])}·(1 − {short(a[k])}) = {delta[k]:.4f}"
        ).replace("-", "−")
        yield page(title, known, [(8, k), (9, k)], targets, colors=GRADIENTS)
    look = {"lines": gradient, "line_colors": GRADIENTS}
    title = "each weight's gradient: delta · activation\n(green: less of it would be better; purple: more)"
    yield page(title, delta, w, targets, colors=GRADIENTS, **look)


Flipbook(backward_pages(), title="backward, neuron by neuron")

# %% [markdown]
# Look at neuron 6. It speaks loudest of all, and gets hardly any blame: 8 would like to hear more of it, 9 less, and the two
# nearly cancel.
#
# ## The same by autograd
#
# Now the network as you would write it: one matrix and one bias for each layer. (In this tutorial all tensors are `float64`, so
# that "equal" can mean: to twelve digits and more.)

# %%
tg.set_default_dtype(tg.float64)

x = tg.tensor([a[k] for k in INPUTS])
target = tg.tensor([y[j] for j in OUTPUTS])
W1 = tg.tensor([rows[j] for j in HIDDEN], requires_grad=True)
b1 = tg.tensor([b[j] for j in HIDDEN], requires_grad=True)
W2 = tg.tensor([rows[j] for j in OUTPUTS], requires_grad=True)
b2 = tg.tensor([b[j] for j in OUTPUTS], requires_grad=True)

z1 = W1 @ x + b1
a1 = z1.sigmoid()
z2 = W2 @ a1 + b2
a2 = z2.sigmoid()
cost = 0.5 * ((a2 - target) ** 2).sum()

z1.retain_grad()  # gradients of intermediate results are thrown away otherwise
z2.retain_grad()
cost.backward()

found = dict(zip(HIDDEN + OUTPUTS, z1.grad.tolist() + z2.grad.tolist(), strict=True))
print("         by hand     autograd")
for j in delta:
    print(f"delta {j} {delta[j]:10.6f} {found[j]:11.6f}")

# %% [markdown]
# A delta is nothing but `z.grad`. And the gradients of all 26 weights and biases?

# %%
by_hand = [
    [[gradient[j, k] for k in INPUTS] for j in HIDDEN],
    [delta[j] for j in HIDDEN],
    [[gradient[j, k] for k in HIDDEN] for j in OUTPUTS],
    [delta[j] for j in OUTPUTS],
]
for name, tensor, numbers in zip(
    ["W1", "b1", "W2", "b2"], [W1, b1, W2, b2], by_hand, strict=True
):
    same = np.allclose(tensor.grad.numpy(), numbers, rtol=0, atol=1e-12)
    print(name, "equal" if same else "different", "\n", tensor.grad.numpy().round(4))

# %% [markdown]
# Nobody told the engine about deltas. It only knows the rule of each operation, and the hand calculation is what these rules say,
# one after another:
#
# | by hand | the rule that does it |
# |---|---|
# | error: $a - y$ | of `**` and the factor ½, in [arithmetic.py](../tinygrad_edu/ops/arithmetic.py) |
# | times slope: $\cdot\, a\,(1-a)$ | of `sigmoid`, in [elementwise.py](../tinygrad_edu/ops/elementwise.py): `∂x = g·z·(1 - z)`; there `z` is the result, our $a$ |
# | back through the weights: $W^\top \delta$ | of `@` for its second factor, in [products.py](../tinygrad_edu/ops/products.py) |
# | gradient of the weights: $\delta\, a^\top$ | of `@` for its first factor |
#
# Step through it. The gradients that arrive at `z2` and `z1` are the deltas.

# %%
tg.play(cost, title="a 3-4-2 network")

# %% [markdown]
# ## y − a or a − y?
#
# In many slides and programs the delta of an output has the other sign: $(y - a)\,a\,(1-a)$, "target minus answer", like the
# error of the perceptron. Who is right? Both. There is a second sign, and it must fit:
#
# - $a - y$ leads to the **gradient**. It points uphill, so we *subtract*: $w \leftarrow w - \eta\, \delta_j\, a_k$.
# - $y - a$ leads to the **correction**, downhill already. So we *add*: $w \leftarrow w + \eta\, \delta_j\, a_k$.
#
# Two signs have changed, so the weights move the same way. ($\eta$ is the learning rate.) Autograd always gives the gradient. The
# mistake is to mix the two, and no error message will tell you. Below is our network, trained for its one sample in all four
# ways, with the deltas by hand. It is written for whole layers: `V2.T @ delta2` sends all deltas back at once, and
# `np.outer(delta2, h)` is the table of all products $\delta_j\, a_k$.


# %%
def descend(sign_of_error, sign_of_step, eta=1.0, steps=100):
    V1, c1, V2, c2 = (p.detach().numpy().copy() for p in (W1, b1, W2, b2))
    says, should = x.numpy(), target.numpy()
    costs = []
    for _ in range(steps):
        h = sigmoid(V1 @ says + c1)
        out = sigmoid(V2 @ h + c2)
        costs.append(((out - should) ** 2).sum() / 2)
        delta2 = sign_of_error * (out - should) * out * (1 - out)
        delta1 = V2.T @ delta2 * h * (1 - h)
        V1 += sign_of_step * eta * np.outer(delta1, says)
        c1 += sign_of_step * eta * delta1
        V2 += sign_of_step * eta * np.outer(delta2, h)
        c2 += sign_of_step * eta * delta2
    return costs


figure, ax = plt.subplots(figsize=(6, 2.8))
ax.plot(descend(+1, -1), color="C0", linewidth=5, alpha=0.4, label="a − y, subtracted")
ax.plot(descend(-1, +1), color="C0", linewidth=1.5, label="y − a, added")
ax.plot(descend(-1, -1), color="C1", linewidth=5, alpha=0.4, label="y − a, subtracted")
ax.plot(descend(+1, +1), color="C1", linewidth=1.5, label="a − y, added")
ax.set(xlabel="step", ylabel="cost C")
ax.legend()
plt.show()

# %% [markdown]
# The mixed ones climb to the worst cost there is, 1: both outputs say the opposite of what they should, and are sure of it. If a
# training gets worse from the first step on, look for a sign.
#
# ## XOR, with ones for the biases
#
# A bias is a weight whose input always says 1: $w_1 x_1 + w_2 x_2 + b = w_1 x_1 + w_2 x_2 + b \cdot 1$. So append a **column of
# ones** to the inputs, and the biases move into the matrix of weights.
#
# Andrew Trask's [*A Neural Network in 11 Lines of Python*](https://iamtrask.github.io/2015/07/12/basic-python-network/) (2015)
# learns XOR like that, with four hidden neurons (and no bias for the output), and with $y - a$, added. We follow it with the same
# random numbers, so that we can compare with what it prints. The samples are now **rows**: all four go through the network at
# once, and every matrix stands transposed.

# %%
X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1.0]])  # the last column: ones
XOR = np.array([[0], [1], [1], [0.0]])

random = np.random.RandomState(1)
V = 2 * random.random_sample((3, 4)) - 1  # to the hidden neurons
U = 2 * random.random_sample((4, 1)) - 1  # to the output
start = V.copy(), U.copy()

album = {}  # what the weights were at some steps
errors = {}
for step in range(20_001):
    hidden = sigmoid(X @ V)
    answer = sigmoid(hidden @ U)
    error = XOR - answer
    if step in (0, 200, 300, 400, 600, 20_000):
        album[step] = V.copy(), U.copy(), answer.ravel()
    if step % 10_000 == 0:
        errors[step] = np.abs(error).mean()
    delta_out = error * answer * (1 - answer)
    delta_hidden = delta_out @ U.T * hidden * (1 - hidden)
    U += hidden.T @ delta_out  # adds up over the samples
    V += X.T @ delta_hidden

# %% [markdown]
# And by autograd: the forward computation, the cost, and an optimizer that subtracts the gradient.

# %%
samples, wanted = tg.tensor(X), tg.tensor(XOR)
V_auto, U_auto = (tg.tensor(numbers, requires_grad=True) for numbers in start)
optimizer = optim.SGD([V_auto, U_auto], lr=1.0)

printed = {0: 0.496410031903, 10_000: 0.00858452565325, 20_000: 0.00578945986251}
print(" step   by hand      autograd     Trask's page")
for step in range(20_001):
    answer = ((samples @ V_auto).sigmoid() @ U_auto).sigmoid()
    cost = 0.5 * ((answer - wanted) ** 2).sum()
    if step in printed:
        error = (answer - wanted).abs().mean().item()
        print(f"{step:5}  {errors[step]:.9f}  {error:.9f}  {printed[step]:.9f}")
    optimizer.zero_grad()
    cost.backward()
    optimizer.step()
print("the same weights:", np.allclose(V_auto.numpy(force=True), V, rtol=0, atol=1e-9))

# %% [markdown]
# Three times the same, to all nine digits. (How the four samples add up in the gradients of the weights: `tg.play(cost)`.) What
# did it learn? The colour is the answer at each point of the plane, the lines are where a hidden neuron says exactly ½ (thick:
# the output listens to it much).

# %% jupyter={"source_hidden": true}
SIDES = LinearSegmentedColormap.from_list("orange-blue", ["C1", "white", "C0"])


def xor_pages():
    side = np.linspace(-0.6, 1.6, 80)
    grid = np.stack([*np.meshgrid(side, side), np.ones((80, 80))], -1)
    for step, (V, U, answers) in album.items():
        figure, ax = plt.subplots(figsize=(3.6, 3.8))
        says = sigmoid(sigmoid(grid @ V) @ U)[..., 0]
        levels = np.linspace(0, 1, 11)
        ax.contourf(side, side, says, levels=levels, cmap=SIDES, alpha=0.6)
        for (w1, w2, bias), strength in zip(V.T, U[:, 0], strict=True):
            height = -(w1 * side + bias) / w2
            ax.plot(side, height, color="C5", linewidth=0.4 + 0.4 * abs(strength))
        for (x1, x2, _), should, found in zip(X, XOR[:, 0], answers, strict=True):
            fill = "C0" if should else "white"
            edge = "C0" if should else "C1"
            ax.scatter(x1, x2, 90, fill, edgecolors=edge, linewidths=2, zorder=3)
            ax.annotate(f"{found:.2f}", (x1, x2), (8, 6), textcoords="offset points")
        ax.set(
            title=f"after {step} steps",
            xlim=(-0.6, 1.6),
            ylim=(-0.6, 1.6),
            xticks=[0, 1],
            yticks=[0, 1],
            xlabel="$x_1$",
            ylabel="$x_2$",
        )
        plt.close(figure)
        yield figure


Flipbook(xor_pages(), title="the answers to XOR while it is learnt")

# %% [markdown]
# At first all answers are near ½. Then one neuron splits off the corner (0, 0), as OR does; a little later the others, together,
# split off (1, 1), as NAND does. Between them is yes. It is the drawing of tutorial 4, found by following deltas.
#
# ## Nielsen's network, and ours
#
# Michael Nielsen's free book [*Neural Networks and Deep Learning*](http://neuralnetworksanddeeplearning.com/chap1.html) (2015)
# made a small class famous: a list of layer sizes goes in, and out comes a network that learns. Here is such a class, in our
# words. A sample is a column, and so is `delta`. You have done all of its mathematics by hand.


# %%
class Network:
    """Layers of sigmoid neurons that learn from the squared error."""

    def __init__(self, sizes, seed):
        rng = np.random.default_rng(seed)
        self.layers = [
            (rng.standard_normal((now, before)), rng.standard_normal((now, 1)))
            for before, now in itertools.pairwise(sizes)
        ]

    def forward(self, x):
        """What each layer says, the inputs first."""
        said = [x]
        for w, b in self.layers:
            said.append(sigmoid(w @ said[-1] + b))
        return said

    def backprop(self, x, y):
        """The gradients (dw, db) of each layer, for one sample."""
        said = self.forward(x)
        delta = (said[-1] - y) * said[-1] * (1 - said[-1])
        gradients = []
        # from the last layer to the first, each with what it heard
        for (w, _), heard in zip(self.layers[::-1], said[-2::-1], strict=True):
            gradients.insert(0, (delta @ heard.T, delta))
            delta = w.T @ delta * heard * (1 - heard)  # one layer back
        return gradients

    def learn(self, batch, eta):
        """One step against the mean gradient of some samples (x, y)."""
        gradients = [self.backprop(x, y) for x, y in batch]
        for k, (w, b) in enumerate(self.layers):
            w -= eta * np.mean([layers[k][0] for layers in gradients], axis=0)
            b -= eta * np.mean([layers[k][1] for layers in gradients], axis=0)


# %% [markdown]
# Given our nine neurons, it finds the deltas that you know:

# %%
nine = Network([3, 4, 2], seed=0)
nine.layers = [
    (weight.numpy(force=True), bias.numpy(force=True)[:, None])
    for weight, bias in [(W1, b1), (W2, b2)]
]
(_, hidden_deltas), (_, output_deltas) = nine.backprop(
    x.numpy()[:, None], target.numpy()[:, None]
)
print("4 to 7:", hidden_deltas[:, 0].round(6))
print("8, 9:  ", output_deltas[:, 0].round(6))

# %% [markdown]
# And here is ours, with the same first weights. It has no `backprop`: `cost.backward()` does that, for any network, whatever its
# layers. A batch goes in at once, one sample a row, as with XOR.


# %%
def same_as(network):
    parts = []
    for w, b in network.layers:
        linear = nn.Linear(w.shape[1], w.shape[0])
        linear.load_state_dict({"weight": tg.tensor(w), "bias": tg.tensor(b[:, 0])})
        parts += [linear, nn.Sigmoid()]
    return nn.Sequential(*parts)


def squared_error(answers, labels):
    targets = F.one_hot(labels, 10)  # 3 becomes 0 0 0 1 0 0 0 0 0 0
    return 0.5 * ((answers - targets) ** 2).sum(1).mean()


# %% [markdown]
# (Why not `nn.MSELoss()`? It takes the mean over the ten outputs, too: that is a fifth of our cost, and so the learning rate
# would have to be five times as large. Such factors are the usual reason why two programs "with the same settings" differ.)
#
# Now both learn digits: 1,437 of the 8×8 pictures that [ship with the package](../tinygrad_edu/data/SOURCES.md), 360 others to
# test with, 64-30-10 neurons, $\eta = 3$, a step after each ten samples (a batch). For one epoch, in which every sample has its
# turn once, they get the same samples in the same order:

# %%
tg.manual_seed(0)
order = tg.randperm(1797)
table = digits()
pictures, labels = table.x[order].double(), table.y[order]
x_train, y_train = pictures[:1437].flatten(1), labels[:1437]
x_test, y_test = pictures[1437:].flatten(1), labels[1437:]

network = Network([64, 30, 10], seed=0)
model = same_as(network)
optimizer = optim.SGD(model.parameters(), lr=3.0)
columns = [
    (sample[:, None], target[:, None])
    for sample, target in zip(
        x_train.numpy(), F.one_hot(y_train, 10).numpy(), strict=True
    )
]

for chosen in tg.randperm(1437).split(10):
    network.learn([columns[i] for i in chosen.tolist()], eta=3.0)

    optimizer.zero_grad()
    squared_error(model(x_train[chosen]), y_train[chosen]).backward()
    optimizer.step()

theirs = np.concatenate([p.ravel() for layer in network.layers for p in layer])
ours = np.concatenate([p.numpy(force=True).ravel() for p in model.parameters()])
print(f"{len(ours)} weights and biases after 144 steps")
print("equal to ten digits:", np.allclose(ours, theirs, rtol=0, atol=1e-10))

# %%
figure, ax = plt.subplots(figsize=(3.6, 3.4))
ax.plot(theirs, ours, ".", markersize=3)
ax.set(xlabel="Network, by hand", ylabel="nn.Sequential, by autograd", aspect="equal")
plt.show()

# %% [markdown]
# Number for number. (Only the rounding differs, somewhere after the tenth digit: a matrix product adds up in another order.) From
# here ours goes on alone, once more from the start, 30 epochs as in the book:


# %%
def train_digits(model, cost, lr, epochs):
    """What the outputs say to the test digits, before training and after each epoch."""
    optimizer = optim.SGD(model.parameters(), lr=lr)
    data = x_train, y_train
    said = [tg.predict(model, x_test)]
    for _ in range(epochs):
        tg.fit(
            model, data, loss=cost, optimizer=optimizer, batch_size=10, progress=False
        )
        said.append(tg.predict(model, x_test))
    return tg.stack(said).numpy()


said = train_digits(same_as(Network([64, 30, 10], seed=0)), squared_error, 3.0, 30)
is_digit = y_test.numpy()
right = said.argmax(2) == is_digit  # for each epoch and picture
for epoch in (1, 5, 30):
    print(f"epoch {epoch:2}: {right[epoch].mean():.1%} of the test digits are right")

# %%
figure, (above, below) = plt.subplots(
    2, 1, figsize=(6.5, 4), sharex=True, height_ratios=[2, 3]
)
above.plot(100 * right.mean(1))
above.set(ylabel="% right", ylim=(0, 100))
each = [right[:, is_digit == digit].mean(1) for digit in range(10)]
below.imshow(each, cmap="Blues", vmin=0, vmax=1, aspect="auto")
below.set(xlabel="epoch", ylabel="of each digit", yticks=range(10))
below.grid(False)
plt.show()

# %% [markdown]
# The curve climbs in stairs, and the rows below it show why: each stair is a digit that suddenly is understood (dark: all its
# test pictures are right; white: none). For five epochs no 4 is recognised at all. What is the matter with its output neuron?

# %%
answer = said[:, is_digit == 4, 4]  # of output 4, to pictures of a 4
size = (1 - answer) * answer * (1 - answer)  # of its delta
figure, ax = plt.subplots(figsize=(6.5, 2.4))
ax.plot(answer.mean(1), color="C0", label="answer of output 4 to a 4")
ax.plot(size.mean(1), color="C3", label="size of its delta")
ax.set(xlabel="epoch", ylim=(-0.02, 1.02))
ax.legend(loc="center right")
plt.show()

# %% [markdown]
# It **sleeps**. Saying no to everything is right nine times out of ten, so that is what an output learns first. Then its slope
# $a(1-a)$ is almost 0, and with it the delta: the neuron is as wrong as can be about every 4, and hardly anything tells it. This
# is the weakness of the sigmoid together with the squared error. Exercise 3 wakes it up.
#
# Some pictures that are still wrong in the end (what it is → what the network says):

# %%
figure, axes = plt.subplots(1, 8, figsize=(7.5, 1.5))
for ax, i in zip(axes, np.flatnonzero(~right[-1]), strict=False):
    ax.imshow(pictures[1437 + i, 0], cmap="Greys")
    ax.set_title(f"{is_digit[i]} → {said[-1, i].argmax()}")
    ax.axis("off")
plt.show()

# %% [markdown]
# ## The book's network: 784-30-10
#
# Nielsen trains on MNIST, with 28×28 pixels and 50,000 samples. Of 10,000 test digits his network gets 9,129, 9,295 and 9,348
# right after the first three epochs, and at best, after the 29th of thirty, 95.42 % ([chapter
# 1](http://neuralnetworksanddeeplearning.com/chap1.html)). If the four files of MNIST are in a folder `mnist` beside this
# notebook, the next cell does the first three. (`mnist()` without a folder [downloads them](../tinygrad_edu/data/sets.py).) Since
# our first weights are others than his, expect nearly the same counts, not equal ones.

# %% tags=["volatile"]
folder = Path("mnist")
if folder.is_dir():
    train, test = mnist(True, folder), mnist(False, folder)
    model = same_as(Network([784, 30, 10], seed=0)).float()  # float32 is enough
    optimizer = optim.SGD(model.parameters(), lr=3.0)
    data = train.x[:50_000].flatten(1), train.y[:50_000]
    for epoch, book in enumerate([9129, 9295, 9348], start=1):
        tg.fit(
            model,
            data,
            loss=squared_error,
            optimizer=optimizer,
            batch_size=10,
            progress=False,
        )
        answers = tg.predict(model, test.x.flatten(1)).argmax(1)
        count = int((answers == test.y).sum())
        print(f"epoch {epoch}: {count} of 10000 are right, in the book {book}")
else:
    print("There is no folder mnist here: skipped.")

# %% [markdown]
# ## What to take along
#
# - A delta is $\partial C / \partial z$: the gradient that arrives where a neuron listens.
# - Output: error times slope. Hidden: the deltas of those that listen, times the weights on the way, times the slope.
# - A weight's gradient is the delta of its reader times the activation of its writer.
# - $a - y$ with minus, or $y - a$ with plus; never mixed.
# - A bias is a weight from a neuron that always says 1.
# - A neuron with a slope near 0 sleeps, however wrong it is.
#
# ## Exercise 1: one neuron, by hand
#
# A hidden sigmoid neuron says 0.5. Two neurons listen to it, one with weight 2 and delta 0.1, the other with weight −1 and delta
# 0.4. What is its own delta? It listens to an input that says 3, with weight 0.2. What is the gradient of that weight, and what
# is the weight after one step with $\eta = 1$?

# %% tags=["exercise"]
own_delta, weight_gradient, new_weight = ..., ..., ...

# %% jupyter={"source_hidden": true} tags=["check"]
with check(own_delta, weight_gradient, new_weight):

    def near(one, other):
        return abs(one - other) < 1e-6

    assert not near(own_delta, -0.2), (
        "−0.2 is what comes back through the weights; the neuron's slope is missing."
    )
    assert not near(own_delta, 0.05), (
        "0.05 has the wrong sign: 2·0.1 − 1·0.4 is negative."
    )
    assert near(own_delta, -0.05), (
        f"the delta is not {own_delta}: multiply each reader's delta by the weight to it, "
        "add up, then multiply by a·(1 − a)."
    )
    assert near(weight_gradient, -0.15), (
        f"the delta is right, the gradient is not {weight_gradient}: delta · what the input says."
    )
    assert not near(new_weight, 0.05), (
        "0.05 is one step uphill: the gradient is subtracted, and it is negative."
    )
    assert near(new_weight, 0.35), (
        f"the gradient is right, the new weight is not {new_weight}: 0.2 minus η · gradient."
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# Back through the weights come 2·0.1 − 1·0.4 = −0.2, and the slope is 0.5·(1 − 0.5) = 0.25.
#
# ```python
# own_delta = -0.2 * 0.25
# weight_gradient = own_delta * 3
# new_weight = 0.2 - 1 * weight_gradient
# ```
#
# </details>

# %% [markdown]
# ## Exercise 2: other neurons
#
# Write `backprop` for a network whose **hidden** neurons say $\tanh(z)$, with the slope $1 - a^2$, and whose **outputs** say $z$
# itself. The cost is the squared error, as before. `layers` is a list of pairs `(w, b)`, `x` and `y` are columns; return a list
# of pairs `(dw, db)`. The network may have any number of layers, also one.


# %% tags=["exercise"]
def backprop(layers, x, y):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    rng = np.random.default_rng(0)
    for sizes in ([3, 2], [2, 3, 2], [3, 4, 3, 1]):
        layers = [
            (rng.normal(size=(n, m)), rng.normal(size=(n, 1)))
            for m, n in itertools.pairwise(sizes)
        ]
        column, should = rng.normal(size=(sizes[0], 1)), rng.normal(size=(sizes[-1], 1))
        tensors = [
            [tg.tensor(p, requires_grad=True) for p in layer] for layer in layers
        ]
        says = tg.tensor(column)
        for k, (weight, bias) in enumerate(tensors, start=1):
            says = weight @ says + bias
            says = says if k == len(tensors) else says.tanh()
        (0.5 * ((says - tg.tensor(should)) ** 2).sum()).backward()
        found = backprop([(p.copy(), q.copy()) for p, q in layers], column, should)
        name = "-".join(map(str, sizes))
        assert len(found) == len(layers), (
            f"for {name} there should be {len(layers)} pairs (dw, db), not {len(found)}."
        )
        for k in reversed(range(len(layers))):
            for what, numbers, tensor in zip(
                ("dw", "db"), found[k], tensors[k], strict=True
            ):
                where = f"in {name}, {what} of layer {k + 1} of {len(layers)}"
                correct = tensor.grad.numpy()
                shape = np.shape(numbers)
                assert shape == correct.shape, (
                    f"{where} has the shape {shape}; it should be {correct.shape}."
                )
                assert not np.allclose(numbers, -correct), (
                    f"{where} has the wrong sign."
                )
                hint = (
                    "an output says z: its slope is 1."
                    if k + 1 == len(layers)
                    else "the layers after it are right. Which slope, of what the layer says?"
                )
                assert np.allclose(numbers, correct), f"{where} is wrong: {hint}"

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def backprop(layers, x, y):
#     said = [x]
#     for w, b in layers:
#         said.append(np.tanh(w @ said[-1] + b))
#     w, b = layers[-1]
#     said[-1] = w @ said[-2] + b  # the outputs, without tanh
#     delta = said[-1] - y
#     gradients = []
#     for (w, b), heard in zip(layers[::-1], said[-2::-1]):
#         gradients.insert(0, (delta @ heard.T, delta))
#         delta = w.T @ delta * (1 - heard**2)
#     return gradients
# ```
#
# Two lines differ from `Network.backprop`. Autograd had nothing to change at all.
#
# </details>

# %% [markdown]
# ## Exercise 3: wake them up
#
# Find another cost, for which the slope drops out: the delta of an output shall be $a - y$, without $a(1-a)$. Then a neuron that
# is very wrong hears it. Write `new_cost(a, y)`; `a` are the outputs of sigmoid neurons, `y` the targets (0 or 1), both tensors
# of the same shape, and the result is one number, summed over all. (Which $\partial C / \partial a$ times $a(1-a)$ makes $a - y$
# if $y = 1$? Whose derivative is that? And if $y = 0$?)


# %% tags=["exercise"]
def new_cost(a, y):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    heard = tg.tensor([-4.0, 0.5, 2.0, -1.0], requires_grad=True)
    should = tg.tensor([1.0, 0.0, 1.0, 0.0])
    says = heard.sigmoid()
    number = new_cost(says, should)
    assert isinstance(number, tg.Tensor), (
        "compute with tensors, so that it can be derived."
    )
    assert number.shape == (), (
        f"the result has the shape {tuple(number.shape)}: sum up."
    )
    number.backward()
    found, wish = heard.grad.numpy(), (says - should).numpy(force=True)
    assert not np.allclose(found, wish * (says * (1 - says)).numpy(force=True)), (
        "that is the squared error: its deltas still have the slope in them."
    )
    assert not np.allclose(found, -wish), (
        "the sign is wrong: this is smallest where the answers are wrong."
    )
    for delta_found, delta_wish, answer, target_is in zip(
        found, wish, says.tolist(), should.tolist(), strict=True
    ):
        assert abs(delta_found - delta_wish) < 1e-6, (
            f"for a = {answer:.3f} and y = {target_is:g} the delta is {delta_found:.3f}; "
            f"it should be a − y = {delta_wish:.3f}."
        )
    awake = train_digits(
        same_as(Network([64, 30, 10], seed=0)),
        lambda a, labels: new_cost(a, F.one_hot(labels, 10).double()) / len(a),
        0.5,
        5,
    )
    shares = (awake.argmax(2) == is_digit).mean(1)
    print(f"test digits right after 1 epoch:  {shares[1]:.1%} ({right[1].mean():.1%})")
    print(f"test digits right after 5 epochs: {shares[5]:.1%} ({right[5].mean():.1%})")
    print("in brackets: with the squared error")

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# For $y = 1$ we need $-1/a$, the derivative of $-\ln a$. For $y = 0$ we need $1/(1-a)$, the derivative of $-\ln(1-a)$. Since $y$
# is 0 or 1, both fit into one line:
#
# ```python
# def new_cost(a, y):
#     return -(y * a.log() + (1 - y) * (1 - a).log()).sum()
# ```
#
# It is the **cross-entropy**, and tutorial 4 used it for the same reason: there the gradient was (answer − target)·x. In the
# package it is `F.binary_cross_entropy(a, y, reduction="sum")`; together with the sigmoid, and exact also where `a` is rounded to
# 0 or 1, it is `nn.BCEWithLogitsLoss`.
#
# </details>

# %% [markdown]
# ## The code behind it
#
# - [`sigmoid`](../tinygrad_edu/ops/elementwise.py), [`@` and `linear`](../tinygrad_edu/ops/products.py): the rules that make the
#   deltas; [the engine](../tinygrad_edu/autograd/engine.py) that walks from one to the next
# - [`nn.Linear`](../tinygrad_edu/nn/linear.py), [`SGD`](../tinygrad_edu/optim/sgd.py), [`fit`](../tinygrad_edu/train.py)
# - [`digits`, `mnist`](../tinygrad_edu/data/sets.py)
#
# Next: [8. Iris](08_iris.ipynb), about everything around the network: preparing data, choosing settings, testing honestly.
