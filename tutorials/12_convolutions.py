# %% [markdown]
# # 12. Convolutions
#
# **A 3 is a 3 wherever it stands on the page. How can a network know that, without learning it anew for every place?**
#
# So far every pixel had weights of its own. A *convolution* has only a handful of weights, and uses them at every place of the
# picture. You will slide one by hand, send gradients back through it, work out shapes, rebuild LeNet-5 of 1998, look at what it
# has learnt, and come back to the question with an answer.
#
# You need tutorials [1](01_tensors_and_dynamic_graphs.ipynb) (shapes), [2](02_backprop_step_by_step.ipynb) (gradients) and
# [4](04_perceptron_and_linear_classifiers.ipynb) (rows of weights as templates). About 30 minutes.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Polygon, Rectangle

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.data import digits, mnist
from tinygrad_edu.exercises import check
from tinygrad_edu.metrics import accuracy
from tinygrad_edu.nn import functional as F
from tinygrad_edu.plot import Flipbook

plt.style.use("tinygrad_edu.figures")
tg.set_default_dtype(tg.float64)  # 16 digits: rounding decides nothing

# %% [markdown]
# ## The trouble with places
#
# The network that made convolutions famous, LeNet-5, read pictures of 32x32 pixels with a digit of about 20x20 in their middle.
# The 1797 digits [that ship with this package](../tinygrad_edu/data/SOURCES.md) have 8x8 pixels, so we enlarge them to 20x20 and
# put a margin of 6 around. (Have you got the files of MNIST? Put them into a folder `mnist` beside this notebook, and the same
# cells take those.)

# %%
FOLDER = Path("mnist")
if FOLDER.is_dir():
    data = mnist(True, FOLDER)
    X, y = F.pad(data.x[:6000], [2, 2, 2, 2]), data.y[:6000]
else:
    data = digits()
    X, y = F.interpolate(data.x, size=(20, 20), mode="bilinear"), data.y
    X = F.pad(X, [6, 6, 6, 6])  # left, right, above, below
X = X.double()

tg.manual_seed(0)
order = tg.randperm(len(X))
train, test = order[: len(X) * 4 // 5], order[len(X) * 4 // 5 :]
print("pictures", X.shape, " to learn from:", len(train), " to test with:", len(test))

# %% [markdown]
# A shape of four sizes: samples, channels (one, since the digits are grey), rows, columns.
#
# First a network as you know it. Its layers are *dense*: every neuron looks at all pixels, with a weight for each. It learns from
# digits in the middle. Then the test digits are moved sideways, pixel by pixel. (`roll` pushes columns out at one side and in at
# the other; they are white.)


# %%
def fitted(model, epochs, lr=0.003):
    optimizer = optim.Adam(model.parameters(), lr=lr)
    loss = nn.CrossEntropyLoss()
    samples = X[train], y[train]
    tg.fit(
        model,
        samples,
        loss=loss,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=32,
        progress=False,
    )
    return model


def right(model, shift=0):
    """The share of test digits that are right if all move to the right."""
    moved = tg.roll(X[test], shift, dims=3)
    return accuracy(tg.predict(model, moved), y[test])


tg.manual_seed(0)
dense = nn.Sequential(
    nn.Flatten(),
    *(nn.Linear(32 * 32, 60), nn.ReLU()),
    nn.Linear(60, 10),
)
fitted(dense, epochs=10)
print(f"in the middle {right(dense):.1%}, moved by 4 pixels {right(dense, 4):.1%}")

# %% jupyter={"source_hidden": true}
# 0 is white, 1 is black, no number is grey
INK = plt.get_cmap("gray_r").with_extremes(bad="#c9c9d6")
SHIFTS = range(-6, 7)


def bare(ax, picture, title="", **look):
    ax.imshow(picture, **{"cmap": INK, "vmin": 0, "vmax": 1, **look})
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=9)
    ax.spines[:].set_visible(True)
    ax.grid(False)


def curves(models):
    _, ax = plt.subplots(figsize=(6, 2.8))
    for name, model in models.items():
        ax.plot(SHIFTS, [right(model, k) for k in SHIFTS], ".-", label=name)
    ax.axhline(0.1, color="C5", linewidth=1, linestyle="--")
    ax.text(-6, 0.12, "guessing", color="C5", fontsize=8)
    ax.set(xlabel="digits moved by ... pixels", ylabel="right", ylim=(0, 1.02))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 0.2))
    plt.show()


threes = X[test][y[test] == 3]
lost = dense(threes).argmax(1) == 3  # seen in the middle, but not 4 pixels further
for k in (-4, 4):
    lost = lost & (dense(tg.roll(threes, k, dims=3)).argmax(1) != 3)
three = threes[lost][:1]
figure, axes = plt.subplots(1, 5, figsize=(7.5, 1.8))
for ax, k in zip(axes, [-6, -4, 0, 4, 6], strict=True):
    moved = tg.roll(three, k, dims=3)
    bare(ax, moved[0, 0].numpy(), f"by {k}: taken for {dense(moved).argmax()}")
plt.show()
curves({"dense": dense})

# %% [markdown]
# The same 3, four pixels further, and it is something else. So it goes with most digits, and with 6 pixels the network does
# little better than guessing. How should it know? What it learnt about one pixel says nothing about the next. And in the margin
# it has never seen any ink, so the weights there have learnt nothing at all.
#
# ## A window that slides
#
# Take a simple picture first, a 7 of 6x6 pixels. What makes it a 7? Among other things the bar at its top. Here is a **filter**
# for bars: a small matrix of weights, positive in the middle row and negative above and below. Lay it over a part of the picture,
# multiply what lies on top of each other, and add up. That makes one number, which says how much this part looks like a bar. Then
# move on by one pixel, and do it again.
#
# Move the slider through all 16 places. The frame is the window; the result grows on the right.

# %%
picture = tg.tensor(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 1.0, 1.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ]
)
bar = tg.tensor([[-1.0, -1.0, -1.0], [2.0, 2.0, 2.0], [-1.0, -1.0, -1.0]])


def slide(x, w):
    """The window at every place of the picture: multiply, and add up."""
    k = len(w)
    result = tg.zeros(x.shape[0] - k + 1, x.shape[1] - k + 1)
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            result[i, j] = (x[i : i + k, j : j + k] * w).sum()
    return result


slide(picture, bar)

# %% jupyter={"source_hidden": true}
NO, YES = "C1", "C0"  # orange below 0 and blue above, as in all pictures of this course
ORANGE_BLUE = LinearSegmentedColormap.from_list("orange-blue", [NO, "white", YES])
ORANGE_BLUE = ORANGE_BLUE.with_extremes(bad="#eeeef2")


def signed(ax, values, title="", limit=None):
    """A picture with blue above 0 and orange below."""
    limit = limit or abs(values).max()
    bare(ax, values, title, cmap=ORANGE_BLUE, vmin=-limit, vmax=limit)


def numbers(ax, values, title, limit=None):
    """A matrix as coloured cells with their numbers; nan is a cell still empty."""
    signed(ax, values, title, 1.4 * (limit or abs(values).max()))
    for (i, j), value in np.ndenumerate(values):
        if not np.isnan(value):
            ax.text(j, i, f"{value:g}", ha="center", va="center", fontsize=9)


def frame(ax, i, j, k, color="C4", lw=3):
    place = (j - 0.5, i - 0.5)
    ax.add_patch(Rectangle(place, k, k, fill=False, color=color, lw=lw, clip_on=False))


def sliding(x, w, stride=1, padding=0):
    """A book with a page for every place of the window."""
    whole = F.conv2d(x[None, None], w[None, None], None, stride, padding)[0, 0].numpy()
    x, w = np.pad(x.numpy(), padding), w.numpy()
    k, done = len(w), np.full(whole.shape, np.nan)

    def page(i, j):
        a, b = stride * i, stride * j
        done[i, j] = whole[i, j]
        figure, axes = plt.subplots(
            1,
            3,
            figsize=(5.8, 2.4),
            layout="none",  # so that all cells are equally large
            width_ratios=[len(x), k, len(done)],
        )
        figure.subplots_adjust(0.01, 0.02, 0.99, 0.8, wspace=0.25)
        numbers(axes[0], x, "picture", 1)
        frame(axes[0], a, b, k)
        if padding:
            frame(axes[0], padding, padding, len(x) - 2 * padding, color="C5", lw=1)
        numbers(axes[1], w, "filter")
        numbers(axes[2], done, "result", abs(whole).max())
        frame(axes[2], i, j, 1)
        pairs = zip(x[a : a + k, b : b + k].flat, w.flat, strict=True)
        terms = [f"{v:g}·({u:g})" if u < 0 else f"{v:g}·{u:g}" for v, u in pairs if v]
        total = " + ".join(terms) or "only zeros"
        figure.suptitle(f"{total} = {whole[i, j]:g}", fontsize=10)
        plt.close(figure)  # the book shows it
        return figure

    places = np.ndindex(whole.shape)
    return Flipbook(
        (page(i, j) for i, j in places), title="a window slides over a picture"
    )


sliding(picture, bar)

# %% [markdown]
# The large numbers in the first row of the result say: here is a bar. Below them are negative ones: there the bar lies under the
# upper row of the filter. Written down, with $a$ and $b$ counting the places in the window, that is
#
# $$z_{i,j} = \sum_a \sum_b x_{i+a,\,j+b} \cdot w_{a,b}$$
#
# The result is called a **feature map**: for every place it says how much of the feature (here: a bar) is there. The package does
# the same with `conv2d`, for whole batches and much faster, [as a matrix product](../tinygrad_edu/ops/convolution.py). It wants all
# four sizes, of the filter too (filters, channels, rows, columns):

# %%
z = F.conv2d(picture[None, None], bar[None, None])
print(z.shape, " equal to ours:", tg.equal(z[0, 0], slide(picture, bar)))

# %% [markdown]
# (In mathematics a convolution turns the filter by 180° first, and this here is a *cross-correlation*. A network learns its
# filters, and would learn them turned. So nobody turns them.)
#
# Nine weights, and they find bars in a picture of any size. Which filter finds what? Some classic ones, on a digit of ours. (Its
# strokes are several pixels thick, so each weight is enlarged to 2x2.)

# %% tags=["cover"]
filters = {
    "bars": bar,
    "posts": bar.T,
    "ink begins": tg.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]),
    "blur": tg.ones(3, 3),
}
figure, axes = plt.subplots(2, 5, figsize=(8, 3.2), height_ratios=[1, 2])
axes[0, 0].axis("off")
bare(axes[1, 0], three[0, 0].numpy())
for (name, w), (above, below) in zip(filters.items(), axes.T[1:], strict=True):
    large = F.interpolate(w[None, None], scale_factor=2)
    found = F.conv2d(three, large)[0, 0].numpy()
    signed(above, w.numpy(), name)
    signed(below, found)
plt.show()

# %% [markdown]
# Blue is positive, orange negative. "Posts" is the bar filter lying on its side. The third one (named after I. Sobel) is
# positive where a stroke begins, read from left to right, and negative where it ends.
#
# Now for the question at the top. If the digit moves, its map moves with it, and is the same otherwise:

# %%
moved = tg.roll(picture, 1, dims=1)
print(slide(picture, bar))
print(slide(moved, bar))

# %% [markdown]
# Compare the columns: what was column 0 is column 1 now, and so on. **What a convolution knows about one place, it knows about all.**
#
# ## Backwards: one weight, many places
#
# In a convolution one weight is used again and again, at every place. [Tutorial 2](02_backprop_step_by_step.ipynb) says what
# follows: its gradient is the sum over all these uses. Here is a small example, 3x3 pixels of our picture and a filter of 2x2 for
# the lower edge of a bar, so that there are four places. Click on the player and step with **→**. Forward, a number of `z` shows
# its window. Backward, each number of the filter's gradient is a sum of four parts, and each pixel gets a part from every window
# that it lay in.

# %%
part = picture[None, None, :3, 2:5].clone().requires_grad_()
edge = tg.tensor([[[[1.0, 1.0], [-1.0, -1.0]]]], requires_grad=True)
z = F.conv2d(part, edge)
tg.play(z.sum(), title="a convolution, and back")

# %% [markdown]
# So a filter can be *learnt*, like any other weights. Let one begin with random numbers, and give it digits as inputs and the
# maps of the bar filter as targets. Nobody tells it the nine weights:

# %%
tg.manual_seed(3)
layer = nn.Conv2d(1, 1, 3, bias=False)
optimizer = optim.Adam(layer.parameters(), lr=0.1)
inputs = X[train[:20]]
targets = F.conv2d(inputs, bar[None, None])


def learning():
    for step in range(401):
        if step in (0, 5, 10, 20, 40, 100, 400):
            yield compared(step)
        loss = F.mse_loss(layer(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def compared(step):
    figure, axes = plt.subplots(1, 3, figsize=(6, 2.2))
    w = layer.weight.detach()[0, 0].numpy()
    numbers(axes[0], w.round(1) + 0, f"filter after {step} steps", 2)
    signed(axes[1], layer(inputs[:1]).detach()[0, 0].numpy(), "its map", 5)
    signed(axes[2], targets[0, 0].numpy(), "the target", 5)
    plt.close(figure)
    return figure


Flipbook(learning(), title="a filter is learnt")

# %% [markdown]
# In the end it *is* the bar filter, to within a tenth. In a real network there are no target maps: the loss at the far end
# decides what each filter should look for.
#
# ## Strides, margins, sizes
#
# The map was smaller than the picture: a window of 3 has only 4 places on 6 pixels. Two settings change that. **Padding** puts
# zeros around the picture; **stride** is how far the window moves each time. Here padding is 1 (the thin frame is the picture)
# and the stride 2:

# %%
sliding(picture[:5, 1:], bar, stride=2, padding=1)

# %% [markdown]
# How many places are there? With $n$ pixels, padding $p$ on both sides, a window of $k$ and stride $s$: the first place is at
# the start, and there is one more for each whole stride that fits into what is left,
#
# $$\text{places} = \left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1$$
#
# Above: (5 + 2 − 3) / 2 + 1 = 3. A padding of $(k-1)/2$ with stride 1 keeps the size. Does the formula always hold? We try all
# settings up to some size:


# %%
def places(n, k, stride=1, padding=0):
    return (n + 2 * padding - k) // stride + 1


tried = 0
for n in range(5, 12):
    for k in (1, 2, 3, 5):
        for stride in (1, 2, 3):
            for padding in (0, 1, 2):
                x, w = tg.zeros(1, 1, n, n), tg.zeros(1, 1, k, k)
                z = F.conv2d(x, w, None, stride, padding)
                assert z.shape[-1] == places(n, k, stride, padding)
                tried += 1
print(tried, "settings, all as the formula says")

# %% [markdown]
# ## Volumes
#
# A colour picture of 30x30 pixels has three numbers at each pixel: red, green, blue. It is a **volume** of 30x30x3. A filter for
# it is a small volume too, 5x5x3 for instance: as deep as its input, always. It slides over rows and columns only, and at each
# place all 75 products are added to *one* number. So one filter makes one flat map, whatever its input's depth.
#
# An example with a filter that likes red and dislikes green and blue:

# %%
i, j = np.mgrid[:30, :30]  # the row and the column of each pixel
colours = np.zeros((3, 30, 30))
colours[0, (i - 8) ** 2 + (j - 8) ** 2 < 30] = 1  # a red disc
colours[1, 4:13, 17:26] = 1  # a green square
colours[2, (i < 27) & (abs(j - 8) < (i - 17) / 2)] = 1  # a blue triangle
colours[:2, (i - 21) ** 2 + (j - 21) ** 2 < 30] = 1  # red + green: a yellow disc
colours = tg.tensor(colours)

red = tg.stack([tg.ones(5, 5), -tg.ones(5, 5), -tg.ones(5, 5)]) / 25
found = F.conv2d(colours[None], red[None])
print("picture", colours.shape, " filter", red.shape, " map", found[0].shape)

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 5, figsize=(8, 2))
bare(axes[0], colours.permute(1, 2, 0).numpy(), "30x30x3")
for ax, channel, name in zip(axes[1:4], colours, ["red", "green", "blue"], strict=True):
    bare(ax, channel.numpy(), name, cmap="gray")
signed(axes[4], found[0, 0].numpy(), "map: 26x26x1", 1)
plt.show()

# %% [markdown]
# Found: the red disc. The yellow one has as much green as red, and they cancel.
#
# Ten filters make ten maps. Laid one behind the other, they are a volume again, a **feature volume** of 26x26x10, and the next
# layer's filters will be 10 deep. A layer with ten such filters is `nn.Conv2d(3, 10, 5)`. (Like PyTorch, this package writes the channels first, `(10,
# 26, 26)`; Keras and most books write them last.)

# %%
layer = nn.Conv2d(3, 10, 5)
maps = layer(colours[None])
print("weight", layer.weight.shape, " bias", layer.bias.shape, " output", maps.shape)


# %% jupyter={"source_hidden": true}
def boxes(volumes, height=2.6):
    """Volumes as boxes: (name, channels, rows, columns). The root of their depth is drawn, to fit."""
    _, ax = plt.subplots(figsize=(8, height))
    at, low = 0, -max(h for _, _, h, _ in volumes) / 2
    for name, c, h, w in volumes:
        right, up = np.array([w, 0]), np.array([0, h])
        back = np.array([1.7, 1.1]) * np.sqrt(c)
        corner = np.array([at, -h / 2])
        for start, one, other, shade in [
            (corner, right, up, "#dbe6f6"),
            (corner + up, right, back, "#b9cfee"),
            (corner + right, up, back, "#98b7e2"),
        ]:
            face = [start, start + one, start + one + other, start + other]
            ax.add_patch(Polygon(face, facecolor=shade, edgecolor="C0", linewidth=1))
        place = at + (w + back[0]) / 2, low - 3
        ax.text(*place, f"{name}\n{h}x{w}x{c}", ha="center", va="top", fontsize=8.5)
        at += w + back[0] + 9
    ax.set(xlim=(-3, max(at, 150)), ylim=(low - 12, 8 - low), aspect="equal")
    ax.axis("off")
    plt.show()


boxes(
    [
        ("picture", *colours.shape),
        ("one filter", *red.shape),
        ("its map", *found.shape[1:]),
        ("ten maps", *maps.shape[1:]),
    ]
)

# %% [markdown]
# How many weights does that save? In a dense layer each of the 26·26·10 outputs would look at all 2700 inputs. If it looks only
# through its window, it has 75 weights and a bias. If all places *share* them, there are only ten times 76 numbers altogether. The
# notes of Stanford's [CS231n](https://cs231n.github.io/convolutional-networks/) count the same for the first layer of AlexNet (96
# filters of 11x11x3, stride 4, pictures of 227x227x3): 290,400 neurons, 105,705,600 numbers without sharing, 34,944 with it. Do we
# get the same?


# %%
def count(channels, n, filters, k, stride=1):
    neurons = filters * places(n, k, stride) ** 2
    one = channels * k * k + 1  # weights, and a bias
    print(
        f"{n}x{n}x{channels} to {places(n, k, stride)}x{places(n, k, stride)}x{filters}: {neurons:,} neurons"
    )
    print(f"  dense           {neurons * (channels * n * n + 1):>18,}")
    print(f"  only the window {neurons * one:>18,}")
    print(f"  and shared      {filters * one:>18,}")


count(3, 30, 10, 5)
count(3, 227, 96, 11, stride=4)

# %% [markdown]
# To the last number.
#
# ## Pooling
#
# *Where* exactly a bar lies does not matter much: a pixel further left, it is still the bar of a 7. **Max pooling** keeps the
# largest number of each window of 2x2 and forgets where in the window it was. Rows and columns are halved, the depth stays, and
# there is nothing to learn. Here it reads the map of our little 7. Step through it; on the way back watch who gets the gradient:

# %%
found = slide(picture, bar)[None, None].requires_grad_()
pooled = F.max_pool2d(found, 2)
tg.play(pooled.sum(), title="max pooling, and back")

# %% [markdown]
# Only the winner of each window gets the gradient: the others could have been a little larger without changing anything.
#
# Does pooling really make maps care less about places? We move all test digits by one pixel and see how much their maps of bars
# change, compared with the maps themselves, before pooling and after pooling once, twice and three times:

# %%
here = F.conv2d(X[test], bar[None, None]).relu()
there = F.conv2d(tg.roll(X[test], 1, dims=3), bar[None, None]).relu()
for times in range(4):
    size = f"{here.shape[2]}x{here.shape[3]}"
    change = (here - there).abs().sum() / here.sum()
    print(f"pooled {times} times, {size:>5}: {change.item():.1%} changed")
    here, there = F.max_pool2d(here, 2), F.max_pool2d(there, 2)

# %% [markdown]
# Each pooling forgets a little more of the place. The price: fewer numbers are left to say anything at all.
#
# ## LeNet-5
#
# Convolution, pooling, convolution, pooling, and then a small dense network: that is LeNet-5, made to read handwritten
# digits, on bank cheques for example (Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, [*Gradient-based learning applied to document
# recognition*](http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf), Proceedings of the IEEE, 1998). Its layers are called C1, S2
# (S for subsampling, their word for pooling), C3 and so on. After each convolution comes an activation, as after any linear layer:
# theirs was tanh, ours is ReLU.


# %%
def lenet():
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2)),  # C1, S2
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),  # C3, S4
        *(nn.Conv2d(16, 120, 5), nn.ReLU(), nn.Flatten()),  # C5
        *(nn.Linear(120, 84), nn.ReLU()),  # F6
        nn.Linear(84, 10),
    )


tg.manual_seed(2)
net = lenet()
tg.summary(net, (1, 1, 32, 32))


# %% jupyter={"source_hidden": true}
h, volumes = X[:1], [("input", 1, 32, 32)]
names = iter(["C1", "S2", "C3", "S4", "C5", "F6", "scores"])
for layer in net:
    h = layer(h)
    if isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.Linear)):
        volumes.append((next(names), *h.shape[1:], *(1, 1)[: 4 - h.ndim]))
boxes(volumes)

# %% [markdown]
# The volumes become smaller and deeper: fewer places, more features. Compare the numbers of parameters with the paper's, which
# counts **60,000**:
#
# | | C1 | S2 | C3 | S4 | C5 | F6 | scores | together |
# |---|---|---|---|---|---|---|---|---|
# | paper | 156 | 12 | 1,516 | 32 | 48,120 | 10,164 | fixed | 60,000 |
# | here | 156 | 0 | 2,416 | 0 | 48,120 | 10,164 | 850 | 61,706 |
#
# There are three differences. Their pooling took means, and learnt a factor and a bias for each map (12 and 32 numbers); in their
# C3 each map saw only some of the six below it, which is less work; and their scores were distances from small drawings of the
# digits, which were not learnt. Everything else agrees to the last weight.
#
# Our dense network has about as many numbers, 62,110. Now LeNet learns from the same digits:

# %%
untrained = net[0].weight.detach().clone()
fitted(net, epochs=8)
print(f"in the middle {right(net):.1%}, moved by 4 pixels {right(net, 4):.1%}")

# %% [markdown]
# In the middle it is about as good as the dense network: small tidy digits are no challenge for either. Moved digits it knows more
# often, though it has never seen one either. We shall come back to that; first let us look inside.
#
# ## What filters learn
#
# Follow one digit through the trained network, layer by layer. Each page shows the volume that comes out of a layer, one map
# beside the other (after ReLU: 0 is white, the largest number of the page black).


# %% jupyter={"source_hidden": true}
def tiles(maps, columns):
    """Maps (n, h, w) beside each other in one picture, with gaps of nan between them."""
    maps = np.asarray(maps)
    n, h, w = maps.shape
    gap = int(w > 1)
    rows = -(-n // columns)
    sheet = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap), np.nan)
    for k, one in enumerate(maps):
        i, j = divmod(k, columns)
        sheet[i * (h + gap) : i * (h + gap) + h, j * (w + gap) : j * (w + gap) + w] = (
            one
        )
    return sheet


def through(model, digit):
    names = {0: "C1", 2: "S2", 3: "C3", 5: "S4", 6: "C5"}
    yield sheet_of(digit, "the picture", 1)
    for number, layer in enumerate(model[:7]):
        digit = layer(digit)
        if number in names:
            maps = digit.relu().detach()
            yield sheet_of(maps, names[number], {6: 3, 16: 8, 120: 24}[maps.shape[1]])
    figure, ax = plt.subplots(figsize=(5.5, 3))
    rest = model[7:]
    ax.bar(range(10), rest(digit)[0].softmax(0).tolist())
    ax.set(title="the scores, as probabilities", xticks=range(10), ylim=(0, 1))
    plt.close(figure)
    yield figure


def sheet_of(volume, name, columns):
    figure, ax = plt.subplots(figsize=(5.5, 3))
    _, c, h, w = volume.shape
    bare(
        ax, tiles(volume[0], columns), f"{name}: {h}x{w}x{c}", vmax=volume.max().item()
    )
    plt.close(figure)
    return figure


Flipbook(through(net, three), title="a digit on its way through LeNet")

# %% [markdown]
# In C1 you still see the 3, six times: some maps hold its ink, others its outline. In C3 there are only spots left: *something* was
# found *about there*. In C5 there are no places any more, only 120 answers.
#
# These are the six filters of C1, as they were drawn at random and after training:

# %%
trained = net[0].weight.detach()
limit = trained.abs().max().item()
figure, axes = plt.subplots(2, 6, figsize=(7, 2.6))
for k, (above, below) in enumerate(axes.T):
    signed(above, untrained[k, 0].numpy(), f"{k}, random", limit)
    signed(below, trained[k, 0].numpy(), f"{k}, trained", limit)
plt.show()

# %% [markdown]
# Nobody asked for it, but four of them look for edges: 0 has orange above and blue below, 3 the other way round, 4 and 2 do the
# same from left to right. 1 and 5 are blue nearly everywhere: they collect ink. Go back to the page of C1 and compare the maps.
# (Another seed gives another six, sometimes with fewer edges. Much of the random beginning stays, because later layers can make
# something of nearly any filters.)
#
# The filters of C3 are 5x5x6, and no picture of them says much. Better to ask what they *react* to. One number of C3 depends on
# 14x14 pixels of the input (exercise 3 shows how one finds that out). For each of the 16 filters, here are the four test digits to which it
# reacts most, each at the place where it does:

# %%
until_c3 = net[:4]
with tg.no_grad():
    reactions = until_c3(X[test]).numpy()  # (digits, 16, 10, 10)
figure, axes = plt.subplots(4, 4, figsize=(8, 2.8))
for k, ax in enumerate(axes.flat):
    best = reactions[:, k].max((1, 2))
    patches = []
    for n in best.argsort()[::-1][:4]:
        i, j = np.unravel_index(reactions[n, k].argmax(), (10, 10))
        patches.append(X[test][n, 0, 2 * i : 2 * i + 14, 2 * j : 2 * j + 14].numpy())
    bare(ax, tiles(patches, 4))
    ax.set_ylabel(k, rotation=0, va="center", labelpad=8)
plt.show()

# %% [markdown]
# These are pieces of digits: 0 waits for the bends of a 5, 2 for a bow that is closed below, 10 for a ring, 12 for the lower end of
# a post, 15 for a foot. (9 and 11 react most to nearly nothing. Such filters are of little use, and many networks have some.)
# Compare with [tutorial 4](04_perceptron_and_linear_classifiers.ipynb), where each row of weights was a template for a whole digit:
# pieces can be shared by many digits, and put together anew.
#
# How much of that is owed to *learning*? Freeze C1 and C3 as they are at the start, at random, and train only the rest, twice
# each:

# %%
for name, frozen in [("all layers learn", False), ("C1 and C3 stay random", True)]:
    shares = []
    for seed in range(2):
        tg.manual_seed(seed)
        model = lenet()
        for layer in (model[0], model[3]):
            layer.requires_grad_(not frozen)
        shares.append(right(fitted(model, epochs=4)))
    print(f"{name:22}", *(f"{share:.1%}" for share in shares))

# %% [markdown]
# Random filters go a long way: windows, pooling, and a C5 that makes the best of what it gets. But with both beginnings, those that
# learn make clearly fewer mistakes.
#
# ## Back to the question
#
# Convolutions and pooling do not mind where a digit is. LeNet does mind, from C5 on: that layer looks at the 5x5 places of S4
# through a window of 5x5, which leaves it a single place and a weight for each input, like a dense layer. So take the places away
# for good. In the next network the window of C5 is smaller and slides too, and then *global* max pooling keeps only the largest
# number of each map: whether it was found, and not where. (The padding of 6 lets windows reach beyond the picture, so that digits
# near its edge are seen whole.)

# %%
tg.manual_seed(0)
anywhere = nn.Sequential(
    *(nn.Conv2d(1, 6, 5, padding=6), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Conv2d(16, 84, 3), nn.ReLU()),
    *(nn.AdaptiveMaxPool2d(1), nn.Flatten()),  # one number for each of the 84 maps
    nn.Linear(84, 10),
)
fitted(anywhere, epochs=6, lr=0.005)
curves({"dense": dense, "LeNet": net, "whether, not where": anywhere})

# %% [markdown]
# There is the answer. The green network has learnt from digits in the middle, like the others, and knows them everywhere. It need
# not learn each place anew, because nothing in it knows about places: filters that slide, and a maximum over all of them.
#
# Is it always better not to know where? No: for a network that shall say *where* in a picture a face is, places are the point. You
# decide what it may forget.
#
# ## What to take along
#
# - A filter is a small template that slides; its map says where it fits. Move the input, and the map moves.
# - One weight, many places: its gradient is the sum over all of them.
# - Places: $\lfloor (n + 2p - k) / s \rfloor + 1$. A filter is as deep as its input; each filter makes one map.
# - Pooling keeps what was found and blurs where. Its gradient goes to the winners.
# - What a network knows about places, and what it forgets, is for you to choose.
#
# ## Exercise 1: shapes on paper
#
# A colour picture, `(3, 64, 48)`, goes through `nn.Conv2d(3, 16, 5, stride=2, padding=2)` and then `nn.MaxPool2d(2)`. Which shape
# comes out (three sizes, without the samples), and how many numbers has the layer learnt? Do it without running it.

# %% tags=["exercise"]
shape, parameters = ..., ...

# %% jupyter={"source_hidden": true} tags=["check"]
with check(shape, parameters):
    layer = nn.Conv2d(3, 16, 5, stride=2, padding=2)
    before = tuple(layer(tg.zeros(1, 3, 64, 48)).shape[1:])
    after = tuple(F.max_pool2d(tg.zeros(1, *before), 2).shape[1:])
    shape = tuple(shape)
    assert len(shape) == 3, (
        f"channels, rows and columns are three sizes; {shape} has {len(shape)}."
    )
    assert shape[0] == 16, (
        f"16 filters make 16 maps, and the channels stand first; {shape} begins with {shape[0]}."
    )
    assert shape != (*after[1:], 16), (
        "rows, columns, channels: here the channels stand first."
    )
    assert shape != before, (
        "that is the shape before pooling, which halves rows and columns."
    )
    assert shape == after, (
        f"{shape} is not right: the rows have (64 + 2·2 - 5) // 2 + 1 places; then they are pooled. Columns likewise."
    )
    assert parameters != 16 * 75, (
        "the weights are all there; each filter has a bias too."
    )
    assert parameters not in (16 * 25, 16 * 26), (
        "each filter is as deep as its input: 5x5x3 weights."
    )
    assert parameters == 16 * 76, (
        f"{parameters} is not right: how many weights has one filter, and how many filters are there?"
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# Rows: (64 + 4 − 5) // 2 + 1 = 32, pooled 16. Columns: (48 + 4 − 5) // 2 + 1 = 24, pooled 12. Each of the 16 filters has 5 · 5 ·
# 3 = 75 weights and a bias; pooling has none.
#
# ```python
# shape, parameters = (16, 16, 12), 16 * 76
# ```
#
# </details>

# %% [markdown]
# ## Exercise 2: your own convolution
#
# Our `slide` knew one channel only, and no settings. Write `convolve(x, w, stride, padding)` for a picture `x` of shape (channels,
# rows, columns) and one filter `w` of shape (channels, size, size), with loops like those of `slide`. The result is one flat map.
# (`F.pad(x, [1, 1, 1, 1])` puts one zero on each side of rows and columns.)


# %% tags=["exercise"]
def convolve(x, w, stride, padding):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    tg.manual_seed(0)
    for size, sides, stride, padding in [
        (3, (6, 6), 1, 0),
        (3, (5, 8), 1, 0),
        (2, (7, 6), 2, 0),
        (3, (6, 5), 1, 1),
        (3, (8, 7), 3, 2),
    ]:
        what = f"{sides[0]}x{sides[1]} pixels, a window of {size}, stride {stride}, padding {padding}"
        x = tg.randn(2, *sides)
        w = tg.randn(2, size, size, requires_grad=True)
        z = F.conv2d(x[None], w[None], None, stride, padding)[0, 0]
        own = convolve(x, w, stride, padding)
        assert isinstance(own, tg.Tensor), (
            f"the result should be a tensor, not a {type(own).__name__}: fill one made by tg.zeros, as slide does."
        )
        assert own.shape == z.shape, (
            f"{what}: the result has the shape {tuple(own.shape)}, not {tuple(z.shape)}."
        )
        turned = F.conv2d(x[None], w.flip(1, 2)[None], None, stride, padding)[0, 0]
        assert not tg.allclose(own, turned, atol=1e-4), (
            "you turned the filter by 180°. That is mathematics; networks do not."
        )
        corners = z[0, 0].item(), own[0, 0].item(), z[-1, -1].item(), own[-1, -1].item()
        assert tg.allclose(own, z, atol=1e-4), (
            "{}: the first number should be {:.3f}, not {:.3f}; the last {:.3f}, not {:.3f}.".format(
                what, *corners
            )
        )
        assert own.requires_grad, (
            "the result has forgotten the filter: compute with tensors, not with .item()."
        )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def convolve(x, w, stride, padding):
#     x = F.pad(x, [padding] * 4)
#     k = w.shape[1]
#     rows, columns = [(side - k) // stride + 1 for side in x.shape[1:]]
#     result = tg.zeros(rows, columns)
#     for i in range(rows):
#         for j in range(columns):
#             a, b = stride * i, stride * j
#             result[i, j] = (x[:, a : a + k, b : b + k] * w).sum()
#     return result
# ```
#
# </details>

# %% [markdown]
# ## Exercise 3: how far does a number see?
#
# One number behind several layers depends on a patch of the picture, its *receptive field*. Let backprop find it: a pixel that
# does not matter has the gradient 0. Write `sees(model, size)`: feed a random picture of shape (1, 1, size, size) to a model, go
# back from **one** number in the middle of the last map, and return how many *rows* of the picture have a gradient that is not 0
# somewhere. (For the picture to get a gradient it needs `requires_grad=True`. The models here have convolutions and average pooling
# only: max pooling would hide the losers.)


# %% tags=["exercise"]
def sees(model, size):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    tg.manual_seed(0)
    for model, rows, what in [
        (nn.Conv2d(1, 1, 5), 5, "one convolution of 5x5"),
        (nn.Conv2d(1, 4, 3, padding=1), 3, "one convolution of 3x3 with padding 1"),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 1, 3)),
            5,
            "two convolutions of 3x3",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 6, 5), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5)),
            14,
            "C1, S2 and C3 of LeNet",
        ),
    ]:
        found = sees(model, 32)
        assert found != rows**2, (
            f"behind {what}: {found} pixels, but how many rows are that?"
        )
        assert found != 32, (
            f"behind {what} you see all 32 rows: go back from one number, not from all."
        )
        assert found == rows, f"behind {what} a number sees {rows} rows, not {found}."

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def sees(model, size):
#     x = tg.rand(1, 1, size, size, requires_grad=True)
#     z = model(x)
#     middle = z.shape[2] // 2
#     z[0, 0, middle, middle].backward()
#     return int((x.grad[0, 0] != 0).any(dim=1).sum())
# ```
#
# Two windows of 3 see 5 rows, one behind the other; behind pooling each step of a window is two pixels wide: 5 + 1 + 2 · 4 = 14.
#
# </details>

# %% [markdown]
# ## The code behind it
#
# - [`ops/convolution.py`](../tinygrad_edu/ops/convolution.py): one sum of products, and its two derivatives, which are convolutions
#   too; [`ops/pooling.py`](../tinygrad_edu/ops/pooling.py)
# - [`nn/conv.py`](../tinygrad_edu/nn/conv.py) and [`nn/pooling.py`](../tinygrad_edu/nn/pooling.py): the layers
# - [`data/sets.py`](../tinygrad_edu/data/sets.py): `digits` and `mnist`
#
# **Back:** [11. Your own layer, loss, optimizer and operation](11_your_own_layer_loss_optimizer_and_op.ipynb). **Next:** [13. Networks that
# remember](13_networks_that_remember.ipynb).
