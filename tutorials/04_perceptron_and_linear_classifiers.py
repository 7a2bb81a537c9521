# %% [markdown]
# # 4. The perceptron and linear classifiers
#
# **Can a straight line make decisions, and can it be found by learning from mistakes?**
#
# A line cuts the plane into two sides. Say "yes" on one side and "no" on the other, and you have the smallest classifier there
# is. In 1958 Frank Rosenblatt gave it a rule for learning, and called it the *perceptron*. Every layer of today's networks is
# still made of such lines; only what comes after them has changed.
#
# You need [tutorial 1](01_tensors_and_dynamic_graphs.ipynb) (tensors) and [2](02_backprop_step_by_step.ipynb) (gradients).
# About 25 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.data import blobs, digits, random_split
from tinygrad_edu.exercises import check
from tinygrad_edu.metrics import accuracy
from tinygrad_edu.plot import Flipbook, plot_decision

plt.style.use("tinygrad_edu.figures")

# %% [markdown]
# ## A line that scores
#
# Our first classifier has two inputs and three numbers of its own: two weights and a bias.
#
# $$f(x) = -1 \cdot x_1 + 4 \cdot x_2 + 0.4$$
#
# Each weight says how much its input counts, and in which direction; the bias is what is left when all inputs are 0. Three
# points, by hand:
#
# | point $(x_1, x_2)$ | $-1 \cdot x_1$ | $4 \cdot x_2$ | bias | $f(x)$ | so the point lies |
# |---|---|---|---|---|---|
# | A = (0.4, 0) | −0.4 | 0 | 0.4 | **0** | on the line |
# | B = (0.6, 0.5) | −0.6 | 2 | 0.4 | **1.8** | on the positive side |
# | C = (1, −0.1) | −1 | −0.4 | 0.4 | **−1** | on the negative side |
#
# With tensors, it is one product and one sum for all points together:

# %%
w, b = tg.tensor([-1.0, 4.0]), tg.tensor(0.4)
points = tg.tensor([[0.4, 0.0], [0.6, 0.5], [1.0, -0.1]])


def f(x):
    return x @ w + b


f(points)

# %% [markdown]
# Below is the whole plane, coloured by $f$: blue where it is positive, orange where it is negative. What to see:
#
# - $f = 0$ is a straight line, the **decision boundary**. Lines of equal $f$ run parallel to it.
# - The arrow is $w = (-1, 4)$. It stands at a right angle on the line and points to where $f$ grows.
# - The bias shifts the line without turning it. With $b = 0$ it would go through the origin.

# %% jupyter={"source_hidden": true}
NO, YES = "C1", "C0"  # orange below 0 and blue above, as in all pictures of this course
ORANGE_BLUE = LinearSegmentedColormap.from_list("orange-blue", [NO, "white", YES])


def plane(ax, w, b, low=-0.6, high=1.6, levels=(), new=False):
    """Draw the line w·x + b = 0, its two sides, the arrow w (shortened) and lines at
    other levels; a `new` line dashed, without sides."""
    w, b = np.asarray(w, float), float(b)
    # four corners are enough: f is linear
    across, up = np.meshgrid([low, high], [low, high])
    values = w[0] * across + w[1] * up + b
    if not new:
        ax.contourf(
            across, up, values, levels=[-1e9, 0, 1e9], colors=[NO, YES], alpha=0.25
        )
    length = np.hypot(*w)
    if length > 0:
        ax.contour(
            across,
            up,
            values,
            levels=[0],
            colors="gray",
            linewidths=2,
            linestyles="dashed" if new else "solid",
        )
        middle = np.array([low + high, low + high]) / 2
        # the point of the line nearest to the middle
        foot = middle - (middle @ w + b) / length**2 * w
        ax.annotate(
            "",
            foot + 0.35 * w / length,
            foot,
            arrowprops={"arrowstyle": "-|>", "color": "gray", "lw": 2},
        )
    if levels:
        lines = ax.contour(
            across, up, values, levels=levels, colors="gray", linewidths=0.7
        )
        places = [(1.3, (level - b - 1.3 * w[0]) / w[1]) for level in levels]
        ax.clabel(lines, fmt="f = %g", manual=places)
    ax.set(
        xlim=(low, high),
        ylim=(low, high),
        xticks=[0, 1],
        yticks=[0, 1],
        aspect="equal",
        xlabel="$x_1$",
        ylabel="$x_2$",
    )


def dots(ax, X, targets, size=90):
    """Draw samples: a filled circle for yes, an open one for no."""
    for target, fill, edge in [(0, "none", NO), (1, YES, YES)]:
        ax.scatter(
            *X[targets == target].numpy().T,
            size,
            fill,
            edgecolors=edge,
            linewidths=2,
            zorder=3,
        )


# %% tags=["cover"]
figure, ax = plt.subplots(figsize=(5, 4.5))
plane(ax, w, b, levels=[-2, 2, 4])
for name, (x1, x2), value in zip(
    "ABC", points.tolist(), f(points).tolist(), strict=True
):
    ax.scatter(x1, x2, 40, "C5", zorder=3)
    ax.annotate(
        f"{name}: {value:.1f}",
        (x1, x2),
        (6, -14),
        textcoords="offset points",
        weight="bold",
    )
plt.show()

# %% [markdown]
# And here is what happens inside, for point B. Press play, or step with the arrow keys: first the products and the sum going
# forward, then the gradients coming back. Look at the gradient of $w$ at the end: it is the input $x$. A weight matters as much
# as the input that it multiplies. We shall meet this again in the learning rule.

# %%
w = tg.tensor([-1.0, 4.0], requires_grad=True, name="w")
b = tg.tensor(0.4, requires_grad=True, name="b")
x = tg.tensor([0.6, 0.5], name="x")

tg.play(x @ w + b, title="f at the point B")

# %% [markdown]
# ## A step that decides
#
# A score is not yet a decision. Rosenblatt's neuron answers 1 ("yes") if $f(x) > 0$ and 0 ("no") otherwise: the **step**
# activation.


# %%
def step(score):
    return (score > 0).float()


step(f(points))

# %%
scores = tg.linspace(-3, 3, 601)
figure, ax = plt.subplots(figsize=(6, 2.2))
ax.plot(scores.numpy(), step(scores).numpy(), color=YES, linewidth=3)
ax.set(xlabel="score f(x)", ylabel="answer", yticks=[0, 1])
plt.show()

# %% [markdown]
# The step is flat everywhere, except at 0, where it jumps. So its derivative is 0 wherever there is one, and the chain rule
# multiplies every gradient by it. Let us ask autograd how the answer depends on the weights (a step can be written with `sign`,
# which is −1, 0 or 1):

# %%
answer = (tg.sign(x @ w + b) + 1) / 2
answer.backward()
print(
    "answer:",
    answer.item(),
    " gradient of w:",
    w.grad.tolist(),
    " gradient of b:",
    b.grad.item(),
)

# %% [markdown]
# Zeros. Backpropagation has nothing to say about a step: a small change of a weight does not change the answer. There are two
# ways out: a learning rule that needs no derivative (now), or an activation with a slope (at the end, and in every network
# since).
#
# ## Learning from mistakes
#
# Rosenblatt's rule looks at one sample after another. If the answer is right, nothing happens. If it is wrong:
#
# $$w \leftarrow w + (\text{target} - \text{answer}) \cdot x \qquad b \leftarrow b + (\text{target} - \text{answer})$$
#
# The error, target − answer, is 1 when "yes" was missed, and −1 when the answer was "yes" by mistake. So a missed $x$ is added
# to the weights, a false alarm is subtracted. Why does that help? After the change, the score *of this same sample* is
#
# $$f_{\text{new}}(x) = f(x) + \text{error} \cdot (x \cdot x + 1)$$
#
# and $x \cdot x + 1$ is positive: the score always moves the right way. The rule, and a diary of everything it does:


# %%
def learn(X, targets, epochs=10):
    """Rosenblatt's rule; returns the weights, and for every sample it looked at
    one entry (w, b, epoch, x, target, answer)."""
    w, b = tg.zeros(X.shape[1]), tg.zeros(())
    diary = []
    for epoch in range(1, epochs + 1):
        mistakes = 0
        for x, target in zip(X, targets, strict=True):
            answer = step(x @ w + b)
            diary.append((w, b, epoch, x, target.item(), answer.item()))
            error = target - answer
            mistakes += abs(error.item())
            w, b = w + error * x, b + error
        if mistakes == 0:  # in a whole round: nothing can change any more
            break
    return w, b, diary


# %% [markdown]
# The task: the logical **and**. Its answer is yes only if both inputs are 1.

# %%
corners = tg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
AND = tg.tensor([0.0, 0.0, 0.0, 1.0])
OR = tg.tensor([0.0, 1.0, 1.0, 1.0])
XOR = tg.tensor([0.0, 1.0, 1.0, 0.0])

w, b, diary = learn(corners, AND)
print(f"learnt after {diary[-1][2]} rounds: f(x) = {w[0]:g}·x1 {w[1]:+g}·x2 {b:+g}")
print("answers:", step(corners @ w + b).tolist())

# %% [markdown]
# Move the slider to follow it, mistake by mistake. The ring marks the sample that got the wrong answer, the thick line gave
# that answer, and the dashed one comes out of the correction. (On the first page all weights are still 0, so there is no line
# yet. A point on the line scores 0, and that counts as no.)


# %%
def book(X, targets, diary):
    """One page for every mistake in the diary."""
    return Flipbook(
        (page(X, targets, *entry) for entry in diary if entry[-1] != entry[-2]),
        title="a perceptron learns",
    )


def page(X, targets, w, b, epoch, x, target, answer):
    figure, ax = plt.subplots(figsize=(4.2, 4.4))
    error = target - answer
    plane(ax, w, b)
    plane(ax, w + error * x, b + error, new=True)
    dots(ax, X, targets)
    ax.scatter(*x.tolist(), 350, "none", edgecolors="gray", linewidths=2, zorder=4)
    verdict = (
        "missed: add x to w and 1 to b"
        if error > 0
        else "false alarm: subtract x from w and 1 from b"
    )
    ax.set_title(f"round {epoch}: w = ({w[0]:g}, {w[1]:g}), b = {b:g}\n{verdict}")
    plt.close(figure)  # the book shows it
    return figure


book(corners, AND, diary)

# %% [markdown]
# **Or** is learnt in the same way. And **xor**, "one or the other but not both"?

# %%
figure, axes = plt.subplots(1, 3, figsize=(8, 3))
for ax, name, targets in zip(axes, ["AND", "OR", "XOR"], [AND, OR, XOR], strict=True):
    w, b, diary = learn(corners, targets, epochs=25)
    plane(ax, w, b)
    dots(ax, corners, targets)
    right = int((step(corners @ w + b) == targets).sum())
    ax.set_title(f"{name}: {right} of 4 right after {diary[-1][2]} rounds")
plt.show()

# %% [markdown]
# ## Why no line can do XOR
#
# Do not blame the number of rounds. Here are the mistakes of the first three:

# %%
w, b, diary = learn(corners, XOR, epochs=5)
book(corners, XOR, diary[:12])

# %%
for w, b, epoch, *_ in diary[::4]:
    print(f"round {epoch} begins with w = {w.tolist()}, b = {b:g}")

# %% [markdown]
# From the third round on every round ends where it began: the rule walks in a circle, for ever. It must, because there is no
# line to be found. Suppose there were one. Then
#
# - (0, 0) is a no: $b \le 0$, and (1, 1) is a no: $w_1 + w_2 + b \le 0$. Added together: $w_1 + w_2 + 2b \le 0$.
# - (0, 1) is a yes: $w_2 + b > 0$, and (1, 0) is a yes: $w_1 + b > 0$. Added together: $w_1 + w_2 + 2b > 0$.
#
# One number cannot be both. You can also see it: the yes corners lie on one diagonal and the no corners on the other, and the
# diagonals cross. Whoever does not trust a proof may try a hundred thousand lines:

# %%
rng = np.random.default_rng(0)
many_w, many_b = rng.uniform(-1, 1, (2, 100_000)), rng.uniform(-1, 1, 100_000)
answers = corners.numpy() @ many_w + many_b > 0  # 4 corners x 100 000 lines
figure, axes = plt.subplots(1, 3, figsize=(8, 2.4), sharey=True)
for ax, name, targets in zip(axes, ["AND", "OR", "XOR"], [AND, OR, XOR], strict=True):
    right = (answers == (targets.numpy()[:, None] > 0)).sum(0)
    bars = ax.bar(range(5), np.bincount(right, minlength=5), color=[NO] * 4 + [YES])
    ax.bar_label(bars, fontsize=8)
    ax.set(title=name, xlabel="corners right", xticks=range(5))
axes[0].set_ylabel("lines")
plt.show()

# %% [markdown]
# So the perceptron learns what a line can separate, and nothing else. For separable samples it is certain to finish: the number
# of its mistakes is at most $(R/\gamma)^2$, where $R$ is the largest length of a sample (with a 1 appended for the bias) and
# $\gamma$ the margin of the best line (A. Novikoff, *On convergence proofs on perceptrons*, 1962). For the others it never
# does. Minsky and Papert's book of 1969 made this famous, and research on neural networks slowed down for years.
#
# The way out is a second layer. One neuron draws OR, a second one NAND ("not both"), and a third takes the AND *of their
# answers*:

# %%
hidden_w = tg.tensor([[1.0, 1.0], [-1.0, -1.0]])  # one row for each neuron: OR, NAND
hidden_b = tg.tensor([-0.5, 1.5])
hidden = step(corners @ hidden_w.T + hidden_b)
answers = step(hidden @ tg.tensor([1.0, 1.0]) - 1.5)
print("x         hidden    answer  xor")
for x, h, answer, target in zip(corners, hidden, answers, XOR, strict=True):
    print(x.tolist(), h.tolist(), f"  {answer:g}      {target:g}")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.7))
for row, bias, name, at in zip(
    hidden_w, hidden_b, ["OR", "NAND"], [(-0.5, 0.75), (1.1, 0.55)], strict=True
):
    plane(left, row, bias)
    left.text(*at, name, weight="bold")
dots(left, corners, XOR)
left.set_title("two lines in the plane of the inputs")
plane(right, [1.0, 1.0], -1.5)
dots(right, hidden, XOR)
right.set(
    title="one line in the plane of their answers",
    xlabel="answer of OR",
    ylabel="answer of NAND",
)
plt.show()

# %% [markdown]
# The first layer moves the two "yes" corners onto the same place, (1, 1), and there a line is enough. This is what hidden
# layers are for. The perceptron's rule cannot find them, since it needs a target for every neuron; backpropagation can
# ([tutorial 7](07_multilayer_perceptron_by_hand.ipynb)).
#
# ## A slope instead of a step
#
# Replace the step by the sigmoid $\sigma(f) = 1 / (1 + e^{-f})$: the same decision, but soft, with a slope everywhere. Its
# answer is a probability, and the loss is the cross-entropy. One training step with autograd, for the corner (1, 1) of AND:

# %%
w = tg.zeros(2, requires_grad=True, name="w")
b = tg.zeros((), requires_grad=True, name="b")
x, target = tg.tensor([1.0, 1.0], name="x"), tg.tensor(1.0, name="target")

answer = tg.sigmoid(x @ w + b)
loss = nn.functional.binary_cross_entropy(answer, target)
loss.backward()
print("answer:             ", answer.item())
print("gradient of w:      ", w.grad.tolist())
print("(answer - target)·x:", ((answer - target) * x).tolist())

# %% [markdown]
# The gradient is $(\text{answer} - \text{target}) \cdot x$, and gradient descent with learning rate $\eta$ *subtracts* it: $w
# \leftarrow w + \eta\,(\text{target} - \text{answer}) \cdot x$. That is Rosenblatt's rule, with a soft answer! Where it comes
# from, step by step:

# %%
tg.play(loss, title="one training step of a sigmoid neuron")

# %% [markdown]
# A layer `nn.Linear(2, 1)` holds such a $w$ and $b$, and `fit` runs the loop ([its code](../tinygrad_edu/train.py)). Let us
# compare the two rules on two clouds of points, 60 to learn from and 1000 more to test with. Each rule learns ten times: the
# perceptron from ten random orders of the samples, the sigmoid neuron from ten random first weights.

# %%
clouds = blobs(1060, classes=2, spread=0.9, seed=1)
X, y = clouds.x[:60], clouds.y[:60].float()
X_test, y_test = clouds.x[60:], clouds.y[60:].float()


def perceptron(seed):
    order = np.random.default_rng(seed).permutation(len(X))
    w, b, _ = learn(X[order], y[order], epochs=100)
    return w, b


def sigmoid_neuron(seed):
    tg.manual_seed(seed)
    layer = nn.Linear(2, 1)
    # Flatten: answers of shape (n,), like the targets
    model = nn.Sequential(layer, nn.Flatten(0))
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    tg.fit(
        model,
        (X, y),
        loss=nn.BCEWithLogitsLoss(),
        optimizer=optimizer,
        epochs=30,
        batch_size=10,
        progress=False,
    )
    return layer.weight[0].detach(), layer.bias.detach()


figure, axes = plt.subplots(1, 2, figsize=(7.5, 3.6), sharey=True)
across = np.linspace(-5, 4, 2)
for ax, rule in zip(axes, [perceptron, sigmoid_neuron], strict=True):
    share = []
    for seed in range(10):
        w, b = rule(seed)
        share.append((step(X_test @ w + b) == y_test).float().mean().item())
        ax.plot(
            across,
            -(w[0].item() * across + b.item()) / w[1].item(),
            color="gray",
            linewidth=1,
        )
    dots(ax, X, y, size=20)
    name = rule.__name__.replace("_", " ")
    ax.set(
        title=f"{name}: {np.mean(share):.1%} right\n({min(share):.1%} to {max(share):.1%})",
        xlim=(-5, 4),
        ylim=(-6, 4),
        xlabel="$x_1$",
    )
plt.show()

# %% [markdown]
# Both get all 60 samples right. But the perceptron stops at the first line that makes no mistake, wherever that line happens to
# be; another order of the samples gives another line. The sigmoid neuron is never content: an answer of 0.9 instead of 1 still
# costs something, so its line goes on moving away from both clouds, and ends in nearly the same place every time. On new points
# it is right more often.
#
# ## Many classes: one row each
#
# Three classes need three scores. So take three lines, one for each class, and stack their weights as the **rows of a matrix**
# $W$:
#
# $$s = W x + b, \qquad \text{answer} = \text{the class with the largest score}$$
#
# That is all that `nn.Linear(2, 3)` is: three classifiers like our $f$, side by side. We train it with the cross-entropy loss
# ([tutorial 5](05_three_classes_three_losses.ipynb) looks inside) and draw what each row does.

# %%
three = blobs(150, classes=3, spread=0.8, seed=15)
tg.manual_seed(0)
layer = nn.Linear(2, 3)
optimizer = optim.Adam(layer.parameters(), lr=0.1)
tg.fit(
    layer,
    three,
    loss=nn.CrossEntropyLoss(),
    optimizer=optimizer,
    epochs=30,
    progress=False,
)
W, b = layer.weight.detach(), layer.bias.detach()
print("W =", W, "\nb =", b)
print("accuracy:", accuracy(layer(three.x), three.y))

# %%
figure = plot_decision(layer, three.x, three.y)
ax = figure.axes[0]
left, right = ax.get_xlim()
ax.set(
    aspect="equal",
    ylim=ax.get_ylim(),
    xlabel="$x_1$",
    ylabel="$x_2$",
    title="dashed: where a class's own score is 0",
)
for k, color in enumerate(["C0", "C1", "C2"]):
    row, bias = W[k].numpy(), b[k].item()
    ax.plot(
        [left, right],
        [-(row[0] * x1 + bias) / row[1] for x1 in (left, right)],
        "--",
        color=color,
    )
    cloud = three.x[three.y == k].numpy().mean(0)
    # the point of the dashed line nearest to the cloud
    foot = cloud - (cloud @ row + bias) / (row @ row) * row
    arrow = {"arrowstyle": "-|>", "color": color, "lw": 4, "mutation_scale": 25}
    ax.annotate("", foot + 1.6 * row / np.hypot(*row), foot, arrowprops=arrow)
figure

# %% [markdown]
# Each dashed line with its arrow is one row of $W$: there the class's own score is 0, and it grows along the arrow. The
# coloured regions say who wins. Between two regions the border is where two scores are equal, $s_i = s_j$, and that is a
# straight line again: $(W_i - W_j)\,x + (b_i - b_j) = 0$.
#
# With two inputs a row is an arrow. With the 64 pixels of a handwritten digit a row is a **picture**: a template, which is laid
# over the digit, pixel times pixel, and summed. (This is how Stanford's course
# [CS231n](https://cs231n.github.io/linear-classify/) explains linear classifiers.)

# %%
tg.manual_seed(0)
train, test = random_split(digits(), [0.8, 0.2])
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
optimizer = optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-3)
tg.fit(
    model,
    train,
    loss=nn.CrossEntropyLoss(),
    optimizer=optimizer,
    epochs=10,
    progress=False,
)
share = tg.evaluate(model, test, loss=nn.CrossEntropyLoss(), metrics=[accuracy])[
    "accuracy"
]
print(f"{share:.1%} of {len(test)} digits that it has not seen")

W = model[1].weight.detach().numpy()
figure, axes = plt.subplots(2, 5, figsize=(7, 3.1))
for k, ax in enumerate(axes.flat):
    ax.imshow(
        W[k].reshape(8, 8), cmap=ORANGE_BLUE, vmin=-abs(W).max(), vmax=abs(W).max()
    )
    ax.set(title=f"row {k}", xticks=[], yticks=[])
plt.show()

# %% [markdown]
# Blue pixels speak for the digit, orange ones against it. The 0 has a hole in the middle: ink there counts strongly against it.
# One template must do for every way of writing a digit, and that is the limit of a linear classifier: it is the same limit as
# that of the single line.
#
# ## Exercise 1: by hand
#
# NAND answers no only if both inputs are 1. Choose two weights and a bias for it, without learning.

# %% tags=["exercise"]
w1, w2, bias = ..., ..., ...

# %% jupyter={"source_hidden": true} tags=["check"]
with check(w1, w2, bias):
    for (x1, x2), target in zip(corners.tolist(), [1, 1, 1, 0], strict=True):
        score = w1 * x1 + w2 * x2 + bias
        answer = int(score > 0)
        assert answer == target, (
            f"for ({x1:g}, {x2:g}) the score is {score:g} and the answer {answer}; it should be {target}."
        )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# NAND is AND with all signs changed. The scores of the corners are 1.5, 0.5, 0.5 and −0.5:
#
# ```python
# w1, w2, bias = -1.0, -1.0, 1.5
# ```
#
# </details>

# %% [markdown]
# ## Exercise 2: one row each, learnt from mistakes
#
# Write Rosenblatt's rule for many classes. If the class with the largest score is not the target, its row of `W` loses $x$ and
# its bias 1, and the target's row and bias gain as much. Return the new `W` (classes, inputs) and `b` (classes,).


# %% tags=["exercise"]
def correct(W, b, x, target):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    W, b, x = (
        tg.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]),
        tg.zeros(3),
        tg.tensor([2.0, 1.0]),
    )
    new, new_b = correct(W.clone(), b.clone(), x, 0)
    changed = (
        (new, new_b)
        if new.tolist() != W.tolist() or new_b.tolist() != b.tolist()
        else None
    )
    assert changed is None, (
        f"class 0 has the largest score and is the target, yet W and b became {changed}."
    )
    new, new_b = correct(W.clone(), b.clone(), x, 2)
    expected = [[-1, -1], [0, 1], [2, 1]], [-1, 0, 1]
    got = new.tolist(), new_b.tolist()
    assert got == expected, (
        f"x = (2, 1) of class 2 was taken for class 0: W and b should become {expected}, not {got}."
    )
    W, b = tg.zeros(3, 2), tg.zeros(3)
    for _ in range(20):
        for x, target in zip(three.x, three.y.tolist(), strict=True):
            W, b = correct(W, b, x, target)
    share = accuracy(three.x @ W.T + b, three.y)
    assert share > 0.9, (
        f"after 20 rounds only {share:.0%} of the three clouds are right."
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def correct(W, b, x, target):
#     answer = (W @ x + b).argmax().item()
#     W, b = W.clone(), b.clone()
#     W[answer] -= x
#     b[answer] -= 1
#     W[target] += x  # if the answer was right, this undoes it
#     b[target] += 1
#     return W, b
# ```
#
# </details>

# %% [markdown]
# ## Exercise 3: XOR with one neuron
#
# A line in the plane cannot do it, but nobody said that the neuron must look at $x_1$ and $x_2$ only. Compute one more number
# from them, so that the perceptron learns XOR. (XOR itself would be too easy.)


# %% tags=["exercise"]
def extra(x1, x2):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    third = [float(extra(x1, x2)) for x1, x2 in corners.tolist()]
    assert third != XOR.tolist(), "that is XOR itself; try a simpler formula."
    w, b, diary = learn(
        tg.cat([corners, tg.tensor(third)[:, None]], 1), XOR, epochs=100
    )
    mistakes = sum(target != answer for *_, target, answer in diary[-4:])
    assert not mistakes, (
        f"with the third inputs {third} for the four corners, it still makes {mistakes} mistakes in round {diary[-1][2]}."
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def extra(x1, x2):
#     return x1 * x2
# ```
#
# The product lifts the corner (1, 1) out of the plane, and in space a plane separates the corners. Inventing such inputs by
# hand was the art of machine learning for decades; hidden layers learn them.
#
# </details>

# %% [markdown]
# ## The code behind it
#
# - [`nn.Linear`](../tinygrad_edu/nn/linear.py): $W x + b$, one row for each output
# - [`plot_decision`](../tinygrad_edu/plot.py): regions of the plane; [`data.blobs`](../tinygrad_edu/data/made_up.py): clouds of
#   points
# - [`cross_entropy`](../tinygrad_edu/ops/classification.py) and
#   [`binary_cross_entropy`](../tinygrad_edu/ops/likelihood.py); [`SGD`](../tinygrad_edu/optim/sgd.py)
#
# Next: [5. Three classes, three losses](05_three_classes_three_losses.ipynb) asks what "wrong" should cost.
