# %% [markdown]
# # 5. Three classes, three losses
#
# **A classifier gives every class a score. How much should a wrong score cost, and what changes if we count in another way?**
#
# A *loss* turns "how wrong" into one number, and training does nothing but make that number small. So whoever chooses the loss
# chooses what is learnt. Here three rows of weights judge nine points, and we count their mistakes in several ways: first as a
# well-known web page does, digit by digit, until we find a number on that page that cannot be right; then in three ways side by
# side, to see what each of them wants.
#
# You need tutorials [1](01_tensors_and_dynamic_graphs.ipynb), [2](02_backprop_step_by_step.ipynb) and
# [4](04_perceptron_and_linear_classifiers.ipynb). About 30 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.exercises import check
from tinygrad_edu.nn import functional as F
from tinygrad_edu.plot import Flipbook, plot_decision
from tinygrad_edu.testing import gradcheck

plt.style.use("tinygrad_edu.figures")

# %% [markdown]
# ## Nine points, three rows
#
# Stanford's course CS231n has [a page](http://vision.stanford.edu/teaching/cs231n-demos/linear-classify/) on which a linear
# classifier learns while you watch. It shows nine points of three classes, a matrix $W$ with one row for each class, a bias for
# each, and everything that it computes from them, rounded to two digits. We take one moment of that page and compute it all
# again:

# %%
names = "ABCDEFGHI"
X = tg.tensor(
    [
        *([0.5, 0.4], [0.8, 0.3], [0.3, 0.8]),
        *([-0.4, 0.3], [-0.3, 0.7], [-0.7, 0.2]),
        *([0.7, -0.4], [0.8, -1.15], [-0.4, -0.5]),
    ]
)
y = tg.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2])
W = tg.tensor([[1.12, 0.84], [-0.95, 0.30], [0.35, -1.44]], requires_grad=True)
b = tg.tensor([0.06, 0.30, 0.35], requires_grad=True)

scores = X @ W.T + b  # nine points, three scores each
for name, row, label in zip(names, scores, y, strict=True):
    print(name, "of class", label.item(), " scores", row.detach())

# %% [markdown]
# The largest score wins. In the picture each point of the plane has the colour of its winner. A dashed line is one row of $W$:
# there the class's own score is 0, and it grows along the arrow. (This is the picture of tutorial 4 again.)


# %% jupyter={"source_hidden": true}
def plane(ax, W, b, X, y):
    """The winner at each point; the lines on which the scores are 0, with arrows."""
    W, b = W.detach(), b.detach()
    plot_decision(lambda x: x @ W.T + b, X, y, ax=ax)
    limits = ax.axis()
    for k, (row, bias) in enumerate(zip(W.numpy(), b.numpy(), strict=True)):
        length = np.hypot(*row)
        if length == 0:  # no line yet
            continue
        ahead = row / length
        foot = -bias / length * ahead  # the point of the line nearest to the origin
        along = np.array([[-9], [9]]) * [-ahead[1], ahead[0]]
        ax.plot(*(foot + along).T, "--", color=f"C{k}", linewidth=1.5)
        arrow = 0.15 * (limits[1] - limits[0]) * ahead
        to_scale = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.012}
        ax.quiver(*foot, *arrow, color=f"C{k}", **to_scale)
    colors = [f"C{label}" for label in y.tolist()]
    ax.scatter(*X.numpy().T, 34, colors, edgecolors="white", zorder=3)
    ax.axis(limits)
    ax.set(aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    ax.locator_params(nbins=5)
    ax.grid(False)


# %% tags=["cover"]
figure, ax = plt.subplots(figsize=(4.6, 5))
plane(ax, W, b, X, y)
for name, point in zip(names, X.numpy(), strict=True):
    ax.annotate(
        name, point, (6, 4), textcoords="offset points", weight="bold", zorder=5
    )
for k, place in enumerate([(0.5, 0.85), (-0.75, 0.85), (-0.75, -1.2)]):
    ax.text(*place, f"class {k}", color=f"C{k}", weight="bold")
plt.show()

# %% [markdown]
# All nine points lie in their own colour: no mistake at all. Is there anything left to learn? D lies close to a border, and a
# little noise would push it over. A good loss should see that.
#
# ## A margin
#
# The page's first loss is the one of Weston and Watkins (1999), a *support vector machine* for many classes. It wants more than
# to win: the score of the right class shall be larger than every other one **by at least 1**, the *margin*. A rival that comes
# nearer than that costs what is missing:
#
# $$L = \sum_{j \ne y} \max(0,\; s_j - s_y + 1)$$
#
# ($s$ are the scores of a sample and $y$ is its class. Something like $\max(0, \ldots)$, first flat and then rising, is called
# a *hinge*.) Look at it as a ladder. The thick bar is the score of the right class, the band below it is the margin, and the
# dots are the rivals. A dot below the band is free; one whose middle lies inside costs the length of its line.


# %% jupyter={"source_hidden": true}
def ladder(ax, scores, y):
    """Each sample's own score with its margin, and the rivals' scores."""
    for i, (row, own) in enumerate(zip(scores.tolist(), y.tolist(), strict=True)):
        edge = row[own] - 1
        ax.bar(i, 1, 0.7, edge, color=f"C{own}", alpha=0.18)
        ax.plot([i - 0.35, i + 0.35], [row[own]] * 2, color=f"C{own}", linewidth=4)
        for rival in sorted({0, 1, 2} - {own}):
            at = i + (-0.15 if rival == min({0, 1, 2} - {own}) else 0.15)
            if row[rival] > edge:
                ax.plot([at, at], [edge, row[rival]], color=f"C{rival}", linewidth=3)
            ax.scatter(at, row[rival], 36, f"C{rival}", zorder=3)
    ax.set(xticks=range(len(scores)), ylabel="score")
    ax.grid(False, axis="x")


# %%
figure, ax = plt.subplots(figsize=(8, 3.6))
ladder(ax, scores, y)
ax.set_xticklabels(names)
for k in range(3):
    ax.plot([], [], "o", color=f"C{k}", label=f"class {k}")
ax.legend(ncols=3, loc="upper left")
plt.show()

# %% [markdown]
# Six dots are inside a band (the two of A just miss it). At D both are, one of them so little that you can hardly see its line.
# Here is D alone, with every operation on a line of its own. The excess of the right class over itself is always 1, so 1 is
# taken off at the end.
#
# Step through it. Watch `s` on the way back: it is used twice, so two parts add up. What remains is $(1, -2, 1)$: each rival in
# the band is pushed down once, the right class is pushed up once *for each* of them.

# %%
x = X[3]
s = W @ x + b
excess = tg.relu(s - s[1] + 1)
loss = excess.sum() - 1
tg.play(loss, title="the margin loss of D")

# %% [markdown]
# ## Digit by digit
#
# Now all nine, and beside them what the page printed. The library calls this loss `multi_margin_loss`, as PyTorch does, and
# like PyTorch's it is divided by the number of classes. So we multiply by 3.

# %%
printed = [0.00, 0.00, 0.19, 0.09, 0.51, 0.00, 0.34, 0.00, 0.60]
losses = 3 * F.multi_margin_loss(scores, y, reduction="none")
print("   page  ours")
for name, there, here in zip(names, printed, losses.tolist(), strict=True):
    print(f"{name}  {there:.2f}  {here:.4f}")

# %% [markdown]
# Seven of nine agree. But D is 0.102 and not 0.09, and E is 0.517 and not 0.51. Did one of us compute wrongly?
#
# Remember that the page rounds what it prints, $W$ and $b$ too! A weight that reads 1.12 may be anything from 1.115 to 1.125.
# So we let the computer guess the digits that we cannot see: 20,000 times, at random. For each guess we compute everything, and
# keep those for which *every* number comes out as printed: the nine losses, and four more things that follow below.


# %%
def agrees(numbers, printed):
    """Whether numbers of each guess are, rounded to two digits, those printed."""
    near = np.abs(np.asarray(numbers) - printed) < 0.005
    return near.reshape(len(near), -1).all(1)


guesses = 20_000  # of the digits behind the second one
rng = np.random.default_rng(0)
W_guess = W.detach().numpy() + rng.uniform(-0.005, 0.005, (guesses, 3, 2))
b_guess = b.detach().numpy() + rng.uniform(-0.005, 0.005, (guesses, 1, 3))
# scores of shape (guesses, 9 points, 3 classes), and from them everything else
s = tg.tensor(X.numpy() @ W_guess.transpose(0, 2, 1) + b_guess, requires_grad=True)
L = 3 * F.multi_margin_loss(s.reshape(-1, 3), y.repeat(guesses), reduction="none")
L.sum().backward()  # the gradient of each guess's scores, all in one walk
L = L.detach().numpy().reshape(guesses, 9)
data, penalty = L.mean(1), 0.1 * (W_guess**2).sum((1, 2))

good = agrees(L, printed) & agrees(data, 0.19) & agrees(penalty, 0.51)
good &= agrees(data + penalty, 0.71) & agrees(s.grad.mean(1), [0.22, -0.11, -0.11])
print(f"{good.sum()} of {guesses} guesses give every number of the page")

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(8, 3))
ax.axhspan(-0.005, 0.005, color="C2", alpha=0.25, label="prints the same two digits")
for chosen, color, width, label in [
    (L - printed, "#c8c8d4", 12, "all guesses"),
    ((L - printed)[good], "C0", 5, "guesses that fit everywhere"),
]:
    ax.vlines(
        range(9),
        chosen.min(0),
        chosen.max(0),
        color=color,
        linewidth=width,
        label=label,
    )
ax.scatter(
    range(9),
    losses.detach().numpy() - printed,
    30,
    "C1",
    zorder=3,
    label="W and b as printed",
)
ax.set(xticks=range(9), xticklabels=names, ylabel="loss − printed loss")
ax.legend(fontsize=8, loc="lower left", ncols=2)
plt.show()

# %% [markdown]
# Both of us are right. The digits that were cut off can move a loss by more than 0.02 (the grey bars), and there are weights,
# printed just like ours, that give exactly what the page shows (the blue ones). Keep that in mind when you compare with
# published numbers: **an input rounded to two digits does not give two digits of the result.**
#
# ## The penalty, and the total
#
# The loss of the data is the mean over the nine points. To it the page adds a *penalty* on large weights:
#
# $$\text{total} = \frac{1}{9} \sum_i L_i + \lambda \sum_{k,l} W_{k,l}^2 \qquad \text{with } \lambda = 0.1$$
#
# where $\lambda$ (lambda) says how strong it is. Why a penalty? Because the data loss can be cheated. Double all weights and
# biases: no border moves, but every score doubles, and with it every lead over a rival. The penalty makes large weights pay for
# themselves.

# %%
data = losses.mean()
penalty = 0.1 * (W * W).sum()
total = data + penalty
print("         page  ours")
print(f"data     0.19  {data:.4f}")
print(f"penalty  0.51  {penalty:.4f}")
print(f"total    0.71  {total:.4f}")
print(f"data, all doubled:  {3 * F.multi_margin_loss(2 * scores, y):.4f}")

# %% [markdown]
# Three times right, although 0.19 + 0.51 is 0.70: rounding once more. (And the last line is the cheat.)
#
# ## A gradient that cannot be right
#
# Last, the page prints gradients: the slopes down which it will move $W$ and $b$ next. First those of the three biases:

# %%
total.backward()
print("page:", [0.22, -0.11, -0.11])
print("ours:", b.grad)

# %% [markdown]
# They are 2/9, −1/9 and −1/9, and you can count them in the ladder. Each dot in a band pushes its own class by +1/9 and the
# right class by −1/9. Class 0 (blue) is three times a rival inside a band and the right class of one dot (at C): $3 - 1 = 2$.
#
# And a piece of detective work: the weak second rival of D needs to be inside for that. Were it outside, the page would have
# printed 0.22, 0.00 and −0.22. So we know of something that is too small for two digits.
#
# Then the gradient of $W$, of which we have the first two rows:

# %%
page = tg.tensor([[0.02, 0.02], [0.06, -0.10]])
print("page:", page)
print("ours:", W.grad[:2])

# %% [markdown]
# That is no rounding: two of four have the wrong sign. Someone is wrong, the page or autograd. Let us ask a judge that knows no
# chain rule, `gradcheck` (from tutorial 2): it measures the slopes of the printed total.


# %%
def printed_total(W, b):
    scores = X.double() @ W.T + b
    return 3 * F.multi_margin_loss(scores, y) + 0.1 * (W * W).sum()


# measured slopes need float64
exact = [v.detach().double().requires_grad_() for v in (W, b)]
gradcheck(printed_total, exact)

# %% [markdown]
# Autograd is right: the page prints something that is **not** the derivative of the total that it prints. But what is it, then?
# Two hints. The biases agree, and there is no bias in the penalty. And here is what autograd says of the data loss alone:

# %%
W.grad = None
data = 3 * F.multi_margin_loss(X @ W.T + b, y)
data.backward()
of_data = W.grad.clone()
print("of the data loss:", of_data[:2])

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(7, 2.6))
for k, (values, label) in enumerate(
    [
        (of_data[:2], "autograd: data loss"),
        (page, "printed by the page"),
        (of_data[:2] + 0.2 * W.detach()[:2], "autograd: data loss + penalty"),
    ]
):
    places = np.arange(4) + 0.27 * (k - 1)
    ax.bar(
        places, values.flatten().numpy(), 0.25, color=["C0", "C1", "C5"][k], label=label
    )
ax.axhline(0, color="C5", linewidth=1)
labels = ["$W_{00}$", "$W_{01}$", "$W_{10}$", "$W_{11}$"]
ax.set(xticks=range(4), xticklabels=labels, ylabel="gradient")
ax.legend(fontsize=8)
plt.show()

# %% [markdown]
# The page (orange) is always between the data loss alone (blue) and the full total (grey), and always nearer to the blue. There
# is *some* penalty in it. Which one? **That is exercise 1, at the end.** You have all that you need for it, so you may go there
# now. It will also show you what such a mistake does to training.
#
# ## Three more ways to count
#
# The page can switch to other losses. Each has its own idea of what the scores $s$ should be like:
#
# | | | it wants |
# |---|---|---|
# | **one-vs-all** | $\max(0, 1 - s_y) + \sum_{j \ne y} \max(0, 1 + s_j)$ | right score above 1, all others below −1 |
# | **structured SVM** | $\max(0, 1 - s_y + \max_{j \ne y} s_j)$ | right score 1 above the *strongest* rival |
# | **softmax** | $-\ln \left( e^{s_y} / \sum_j e^{s_j} \right)$ | right class with a probability of 1 |
#
# - One-vs-all trains three classifiers that know nothing of each other, each one for "my class or not?".
# - The structured SVM (Crammer and Singer, 2001) is like the loss above, but only one rival counts. At our weights the two
#   differ in D alone.
# - Softmax makes probabilities of the scores: $p_j = e^{s_j} / \sum_k e^{s_k}$. All are positive, and their sum is 1. Its loss,
#   the *cross-entropy*, is $-\ln p_y$: 0 if the right class is certain, and ever larger the less probable it is.

# %%
losses = {
    "one-vs-all": F.one_vs_all_hinge_loss,
    "structured SVM": F.structured_svm_loss,
    "softmax": F.cross_entropy,
}
scores = scores.detach()
print("  ", *losses)
for i, name in enumerate(names):
    ova, svm, soft = (loss(scores[i], y[i]) for loss in losses.values())
    print(f"{name}  {ova:10.2f} {svm:14.2f} {soft:7.2f}")

# %% [markdown]
# You cannot say that one is better because its numbers are smaller: they count different things. What they *do* shows in their
# gradients. Let the scores be the leaves, and ask each loss where it would move them. (A gradient points uphill, so orange
# scores will be raised and blue ones lowered.)

# %%
UP_DOWN = LinearSegmentedColormap.from_list("up-down", ["C1", "white", "C0"])
figure, axes = plt.subplots(1, 3, figsize=(8, 4), sharey=True)
for ax, (name, loss) in zip(axes, losses.items(), strict=True):
    s = scores.clone().requires_grad_()
    loss(s, y, reduction="sum").backward()
    ax.imshow(s.grad.numpy(), cmap=UP_DOWN, vmin=-1.5, vmax=1.5, aspect="auto")
    for (i, j), slope in np.ndenumerate(s.grad.numpy()):
        ax.text(j, i, f"{slope:.2g}", ha="center", va="center", fontsize=9)
    ax.set(title=name, xticks=range(3), yticks=range(9), yticklabels=names)
    ax.set_xlabel("score of class")
    ax.grid(False)
plt.show()

# %% [markdown]
# - **One-vs-all** looks at each score by itself. A rival is pushed down although it lies far behind, only because it is above −1.
# - The **structured SVM** moves two scores or none: the right one up, the strongest rival down. Four points are content.
# - **Softmax** moves everything, always, but each rival only by its probability. Its gradient is $p - (\text{1 at the right
#   class})$: three numbers whose sum is 0. In tutorial 4 the sigmoid neuron had the same: answer − target.
#
# Where does that simple gradient come from? Here are softmax and logarithm for D, written out. In the card of `s`, on the right
# (green and purple), is row D of the picture above. Write `tg.play(loss)` in the last line, and you can step back to it.

# %%
s = scores[3].clone().requires_grad_()
e = tg.exp(s)
p = e / e.sum()
loss = -tg.log(p[1])
tg.draw(loss, direction="TB")

# %% [markdown]
# (`cross_entropy` takes scores and does all this as [one operation](../tinygrad_edu/ops/classification.py), so that nothing
# overflows. Do not give it probabilities.)
#
# One more difference. What if every score were larger by 5?

# %%
for name, loss in losses.items():
    print(f"{name:15} {loss(scores, y):.4f}   all + 5: {loss(scores + 5, y):.4f}")

# %% [markdown]
# Structured SVM and softmax only compare scores with each other. To one-vs-all the 0 has a meaning: above it a class says
# "mine".
#
# ## Trained side by side
#
# Now let them learn. All three get the same bad start, in which each row of $W$ stands where another class belongs, so that all
# nine points are wrong. Then plain gradient descent, without penalty. `train` keeps a diary, as in tutorial 4.


# %%
def train(loss, X, y, W, b, steps, lr, penalty=0.0):
    """Gradient descent; returns for each step one entry (W, b, losses of the samples)."""
    W, b = (v.clone().requires_grad_() for v in (W, b))
    optimizer = optim.SGD([W, b], lr=lr)
    diary = []
    for _ in range(steps + 1):
        costs = loss(X @ W.T + b, y, reduction="none")
        diary.append((W.detach().clone(), b.detach().clone(), costs.detach()))
        total = costs.mean() + penalty * (W * W).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    return diary


turned = [2, 0, 1]
start = W.detach()[turned], b.detach()[turned]
diaries = {
    name: train(loss, X, y, *start, steps=1000, lr=0.5) for name, loss in losses.items()
}

# %% [markdown]
# Move the slider. The dashed lines are the rows of $W$ again, and the rings are what each point costs: when its ring is gone, a
# point has no say any more.


# %% jupyter={"source_hidden": true}
def book(X, y, diaries, steps, height, title):
    """A page for each of these steps, with the plane of each diary."""

    def pages():
        for step in steps:
            figure, axes = plt.subplots(1, 3, figsize=(6.6, height), sharey=True)
            for ax, (name, diary) in zip(axes, diaries.items(), strict=True):
                W, b, costs = diary[step]
                plane(ax, W, b, X, y)
                ring = 200 * costs.numpy()
                ax.scatter(*X.numpy().T, ring, "none", edgecolors="C5", linewidths=1.5)
                right = int(((X @ W.T + b).argmax(1) == y).sum())
                ax.set_title(
                    f"{name}\n{right} of {len(y)} right, loss {costs.mean():.2f}"
                )
                ax.set(xlabel="", ylabel="")
            figure.suptitle(f"step {step}")
            plt.close(figure)  # the book shows it
            yield figure

    return Flipbook(pages(), title=title)


# %%
book(X, y, diaries, [0, 3, 6, 12, 30, 1000], 3.1, "three losses learn")

# %% [markdown]
# All three turn their lines around, and end with nine points right. But look where they end:
#
# - **One-vs-all**: each dashed line cuts its own class off from the two others, for each classifier must say yes or no by itself.
# - **Structured SVM**: a dashed line may even run among the points of other classes. Only the borders count, and once all points
#   have their margin (no ring is left) it stops for good.
# - **Softmax** puts the borders nearly where the SVM puts them, but it never stops: its rings only become too small to see.
#
# The same as curves:

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
diaries["softmax, λ = 0.01"] = train(F.cross_entropy, X, y, *start, 1000, 0.5, 0.01)
for k, (name, diary) in enumerate(diaries.items()):
    look = {"color": f"C{min(k, 2) + 3}", "linestyle": "--" if k > 2 else "-"}
    left.plot([costs.mean().item() for *_, costs in diary], label=name, **look)
    right.plot([(W * W).sum().item() for W, *_ in diary], **look)
left.set(xlabel="step", ylabel="loss of the data", xscale="symlog", yscale="log")
left.set_ylim(1e-3, 9)
right.set(xlabel="step", ylabel="sum of the squared weights", xscale="symlog")
left.legend(fontsize=8)
plt.show()

# %% [markdown]
# The two with a margin reach a loss of exactly 0, and from then on not a single weight changes. Softmax can never reach 0,
# since no probability is ever exactly 1. It goes on making its weights larger, long after the borders have stopped moving. This
# is the cheating that the penalty is made against: with λ = 0.01 (dashed) the weights come to rest.
#
# ## Three in a row
#
# On the nine points all three losses got everything right. So does the choice matter? Weston and Watkins already described
# points that their loss can tell apart without any cost, and one-vs-all cannot (see CS231n's
# [notes](https://cs231n.github.io/linear-classify/)). It is enough to put three clouds in a row:

# %%
centres = np.array([[-2.0, 0.0], [0.0, 0.0], [2.0, 0.0]])
y_row = tg.arange(30) % 3
noise = np.random.default_rng(0).normal(0, [0.35, 0.7], (30, 2))
X_row = tg.tensor(centres[y_row.numpy()] + noise, dtype=tg.float32)

nothing = tg.zeros(3, 2), tg.zeros(3)
row_diaries = {
    name: train(loss, X_row, y_row, *nothing, steps=500, lr=0.3)
    for name, loss in losses.items()
}
book(X_row, y_row, row_diaries, [1, 5, 50, 500], 1.9, "three clouds in a row")

# %% [markdown]
# The middle class is the one to look at. Its classifier in one-vs-all must say yes between the two others and no on both sides,
# and one straight line cannot do that (it is XOR's trouble again). So it gives up and says no to everybody: that costs 2 for
# each of its 10 points, $10 \cdot 2 / 30 \approx 0.67$ in all, and this is where its loss gets stuck. Its region is only what
# the two others leave over, and two of its points are lost.
#
# Structured SVM and softmax need no line for the middle class. Its score may be the same everywhere, as long as the left one
# and the right one fall off in time. See it along the $x_1$ axis:

# %%
figure, axes = plt.subplots(1, 3, figsize=(8, 2.6), sharey=True)
across = tg.linspace(-3, 3, 61)
for ax, (name, diary) in zip(axes, row_diaries.items(), strict=True):
    W_end, b_end, _ = diary[-1]
    along = tg.stack([across, tg.zeros(61)], 1) @ W_end.T + b_end
    for k in range(3):
        ax.plot(across.numpy(), along[:, k].numpy(), color=f"C{k}")
        ax.axvline(centres[k, 0], color=f"C{k}", linewidth=10, alpha=0.2)
    ax.axhline(0, color="C5", linewidth=1)
    ax.set(title=name, xlabel="$x_1$", ylim=(-6, 6))
axes[0].set_ylabel("score")
plt.show()

# %% [markdown]
# This is no verdict against one-vs-all: with many inputs, classes seldom stand in a row, and with care it is as good as the
# others in practice (Rifkin and Klautau, *In defense of one-vs-all classification*, 2004). But when somebody asks why nearly
# all networks end in softmax and cross-entropy, you know part of the answer: it compares classes with each other, it always has
# a slope, and its outputs can be read as probabilities.
#
# ## What to take along
#
# - A loss says what a wrong score costs. Its gradient says what the training will do about it, so look at the gradient.
# - Margin losses stop caring when the lead is large enough; softmax never does, and needs a penalty to come to rest.
# - One-vs-all gives a meaning to each score by itself, the others only to differences.
# - Rounded inputs do not reproduce rounded outputs. A wrong sign, however, is no rounding.
# - If a printed gradient and autograd disagree, measure.
#
# ## Exercise 1: what did the page derive?
#
# Write a `penalty(W)` with which autograd gives the page's gradient: the gradient of data loss + penalty should print as `0.02
# 0.02` and `0.06 -0.10` in its first two rows. `of_data`, the gradient of the data loss, is known from above; `page` is what is
# printed. What is left for the penalty? Compare that with `W`.


# %% tags=["exercise"]
def penalty(W):
    raise NotImplementedError  # your code here


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    leaf = W.detach().clone().requires_grad_()
    value = penalty(leaf)
    assert isinstance(value, tg.Tensor), f"{value!r} is no tensor: compute it from W."
    assert value.shape == (), (
        f"a penalty is one number; this has the shape {value.shape}."
    )
    assert value.requires_grad, "the penalty has forgotten W: compute it from W."
    value.backward()
    share = (leaf.grad / leaf.detach()).flatten().tolist()
    found = sum(share) / 6
    assert max(share) - min(share) < 1e-3, (
        "its gradient should be one number times W, the same for all six weights; "
        f"here the numbers go from {min(share):.3f} to {max(share):.3f}."
    )
    given = ((of_data + leaf.grad)[:2] - page).abs().max().item()
    assert abs(found - 0.2) > 1e-3, (
        "that is the penalty that the page prints; its gradient is 0.2·W, as above."
    )
    assert abs(found - 0.1) > 1e-3, (
        "the gradient of this penalty is 0.1·W, twice what is needed: "
        "the derivative of a square brings a factor 2 with it."
    )
    assert given < 0.0051, (
        f"its gradient is {found:.3f}·W, and data loss + penalty then has the gradient "
        f"{(of_data + leaf.grad)[:2].tolist()}, which does not print as the page's."
    )
    for what, strength in [("page's", found / 2), ("right", 0.1)]:
        diary = train(
            lambda s, y, reduction: 3 * F.multi_margin_loss(s, y, reduction=reduction),
            *(X, y, W.detach(), b.detach(), 500),
            lr=0.1,
            penalty=strength,
        )
        first, last = (
            (costs.mean() + 0.1 * (V * V).sum()).item() for V, _, costs in diary[::500]
        )
        print(
            f"500 steps along the {what} gradient: the printed total goes "
            f"from {first:.2f} to {last:.2f}."
        )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# `(page - of_data[:2]) / W.detach()[:2]` gives four numbers near 0.05 (they are not equal, since `page` is rounded). So the
# page adds 0.05·W to the gradient of the data loss, and that is the derivative of 0.025·ΣW²:
#
# ```python
# def penalty(W):
#     return 0.025 * (W * W).sum()
# ```
#
# The penalty that it prints is 0.1·ΣW², with the derivative 0.2·W. So the page's gradient has only a quarter of its own penalty
# in it: λ/2·W instead of 2·λ·W. A usual way of writing a penalty is ½·λ·ΣW², just to make the derivative λ·W; perhaps the ½
# ended up in the wrong place.
#
# Nothing crashes. Training goes downhill, only on another hill, and the total that is printed meanwhile *grows*.
#
# </details>

# %% [markdown]
# ## Exercise 2: by hand
#
# A sample of class 1 has the scores (2, 1.5, 1.8). Find the gradients of three losses with respect to these scores, without
# running anything: for each score how fast the loss grows with it. (`weston_watkins` is the page's first loss.)

# %% tags=["exercise"]
weston_watkins = ...  # such as [1, -1, 0]
structured = ...
one_vs_all = ...

# %% jupyter={"source_hidden": true} tags=["check"]
with check(weston_watkins, structured, one_vs_all):
    for told, given, loss in [
        ("weston_watkins", weston_watkins, lambda s, y: 3 * F.multi_margin_loss(s, y)),
        ("structured", structured, F.structured_svm_loss),
        ("one_vs_all", one_vs_all, F.one_vs_all_hinge_loss),
    ]:
        s = tg.tensor([2.0, 1.5, 1.8], requires_grad=True)
        loss(s, tg.tensor(1)).backward()
        right = [round(slope) for slope in s.grad.tolist()]
        given = list(given)
        assert len(given) == 3, f"{told} needs three numbers, one for each score."
        assert given != [-slope for slope in right], (
            f"{told} has the wrong sign: a gradient says where the loss grows."
        )
        hints = {
            "weston_watkins": "both rivals are inside the margin, from 0.5 upwards. "
            "How often is the right score in the sum?",
            "structured": "only the strongest rival counts. Which one is that?",
            "one_vs_all": "each score by itself: is 1.5 above 1? Are 2 and 1.8 below −1?",
        }
        assert given == right, f"{told} is not {given}: {hints[told]}"

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# Weston and Watkins: (2 − 1.5 + 1) + (1.8 − 1.5 + 1), so the right score is in it twice, with a minus. Structured: only 2 − 1.5
# + 1. One-vs-all: the right score, 1.5, is above 1 and content; 2 and 1.8 should be below −1, and each costs by itself.
#
# ```python
# weston_watkins = [1, -2, 1]
# structured = [1, -1, 0]
# one_vs_all = [1, 0, 1]
# ```
#
# Strange, isn't it? The answer is wrong because the right score is too *low*, and one-vs-all does not raise it.
#
# </details>

# %% [markdown]
# ## Exercise 3: write one yourself
#
# Write the structured SVM for scores of shape (n, classes) and n labels: the mean over the samples, one number, and with a
# gradient. Use tensors only, no loss of the library. `F.one_hot(labels, classes)` may help: a 1 at each sample's class, else 0.


# %% tags=["exercise"]
def structured_loss(scores, labels):
    raise NotImplementedError  # your code here


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    more = np.random.default_rng(1).normal(-3, 1, (5, 4))
    for s, labels in [(scores, y), (tg.tensor(more), tg.tensor([0, 3, 2, 2, 1]))]:
        s, t = s.clone().requires_grad_(), s.clone().requires_grad_()
        mine, theirs = structured_loss(s, labels), F.structured_svm_loss(t, labels)
        told = f"for scores of shape {tuple(s.shape)}"
        assert isinstance(mine, tg.Tensor), f"{mine!r} is no tensor."
        assert mine.shape == (), (
            f"{told} the result should be one number, of shape (), not {mine.shape}: take the mean."
        )
        own = s.detach()[tg.arange(len(s)), labels]
        suspects = {
            "Is the right class among its own rivals? Then it always costs 1.": (
                tg.relu(s.detach().amax(1) - own + 1).mean()
            ),
            "Where is the margin?": F.structured_svm_loss(t.detach(), labels, margin=0),
            "Do all rivals count? Only the strongest should.": (
                s.shape[1] * F.multi_margin_loss(t.detach(), labels)
            ),
            "Is it the sum? Take the mean.": theirs.detach() * len(s),
        }
        value = mine.item()
        hint = [why for why, other in suspects.items() if abs(value - other) < 1e-4]
        assert abs(value - theirs.item()) < 1e-4, " ".join(
            [f"{told} the loss is {theirs.item():.4f}, yours is {value:.4f}.", *hint]
        )
        assert mine.requires_grad, (
            "the value is right, but it has forgotten the scores: no .item(), .numpy() or .tolist() on the way."
        )
        mine.backward()
        theirs.backward()
        assert tg.allclose(s.grad, t.grad, atol=1e-5), (
            f"{told} the value is right, but not the gradient: "
            f"{s.grad[0].tolist()} for the first sample instead of {t.grad[0].tolist()}."
        )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# The right class must not be its own rival, so its score is put out of the way before the maximum is taken:
#
# ```python
# def structured_loss(scores, labels):
#     right = F.one_hot(labels, scores.shape[1])
#     own = (scores * right).sum(1)
#     rival = scores.masked_fill(right == 1, -np.inf).amax(1)
#     return tg.relu(rival - own + 1).mean()
# ```
#
# The library's own is [as short](../tinygrad_edu/ops/classification.py).
#
# </details>

# %% [markdown]
# ## The code behind it
#
# - [`multi_margin_loss`, `one_vs_all_hinge_loss`, `structured_svm_loss`, `cross_entropy`](../tinygrad_edu/ops/classification.py), and as
#   modules in [nn/loss.py](../tinygrad_edu/nn/loss.py)
# - [`softmax`](../tinygrad_edu/ops/softmax.py) and its gradient; [`SGD`](../tinygrad_edu/optim/sgd.py)
# - [`plot_decision`](../tinygrad_edu/plot.py); [`gradcheck`](../tinygrad_edu/testing/derivatives.py)
# - The page: [CS231n's demo](http://vision.stanford.edu/teaching/cs231n-demos/linear-classify/), and
#   [the course's notes](https://cs231n.github.io/linear-classify/) on these losses
#
# Next: [6. Walking downhill](06_walking_downhill.ipynb) asks how to take the steps that we just took.
