# %% [markdown]
# # 8. Iris: from a table to a tested network
#
# **Four lengths of a flower, three species. How does a table become a network that you can trust, and how do you choose its
# settings without fooling yourself?**
#
# The network is the easy part: you know layers, losses and optimizers by now. This tutorial is about everything around it:
# preparing data, keeping some of it out of sight, trying settings one at a time, and telling an improvement from luck.
#
# You need tutorials [1](01_tensors_and_dynamic_graphs.ipynb), [2](02_backprop_step_by_step.ipynb) and
# [4](04_perceptron_and_linear_classifiers.ipynb). About 30 minutes.

# %%
import itertools

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.data import breast_cancer, iris
from tinygrad_edu.exercises import check
from tinygrad_edu.metrics import accuracy, binary_accuracy, confusion_matrix
from tinygrad_edu.plot import Flipbook, plot_decision

plt.style.use("tinygrad_edu.figures")

# %% [markdown]
# ## The table
#
# Edgar Anderson measured 150 irises, 50 of each of three species; Ronald Fisher published the numbers in 1936. They [ship with
# the package](../tinygrad_edu/data/SOURCES.md).

# %%
flowers = iris()
print(flowers)
print(flowers.feature_names)
for i in (0, 50, 100):
    print(flowers.x[i], flowers.class_names[flowers.y[i].item()])

# %% [markdown]
# Look at data before you compute with them. Every flower is a point:


# %% tags=["cover"]
def scatter(ax, i, j):
    for k, name in enumerate(flowers.class_names):
        chosen = flowers.x[flowers.y == k].numpy()
        ax.scatter(chosen[:, i], chosen[:, j], 14, label=name)
    ax.set(
        xlabel=f"{flowers.feature_names[i]} (cm)",
        ylabel=f"{flowers.feature_names[j]} (cm)",
    )


figure, axes = plt.subplots(1, 2, figsize=(8, 3.2))
scatter(axes[0], 0, 1)
scatter(axes[1], 2, 3)
axes[1].legend()
plt.show()

# %% [markdown]
# A straight line splits off setosa. Versicolor and virginica touch each other: there some mistakes will remain, whatever the
# network. (Strictly, from now on a part of the flowers should not be looked at any more. Here is why.)
#
# ## Three parts
#
# A network that is tested on the flowers it learnt from only shows that it can memorise. So the flowers are shuffled and dealt
# out:
#
# - **training** (90): the optimizer sees them;
# - **validation** (30): *we* see them, while we choose the settings;
# - **test** (30): nobody sees them before the very end, and then once.
#
# Why is validation not enough? Because whoever picks the best of fifty settings on 30 flowers also picks the luckiest.

# %%
tg.manual_seed(0)
order = tg.randperm(150)
train, validation, test = order[:90], order[90:120], order[120:]
for name, part in [("train", train), ("validation", validation), ("test", test)]:
    print(f"{name:10}", np.bincount(flowers.y[part].numpy()), "of each species")

# %% [markdown]
# ## One scale for all columns
#
# Petal widths go from 0.1 to 2.5 cm, sepal lengths from 4.3 to 7.9. A network can live with that, but it learns faster if every
# input has mean 0 and standard deviation 1. The two numbers for each column come **from the training part only**. With the mean
# over all 150 flowers, a little knowledge about the test flowers would leak into training.

# %%
mean, width = flowers.x[train].mean(0), flowers.x[train].std(0)
x, y = (flowers.x - mean) / width, flowers.y
print("mean", mean, " standard deviation", width)

figure, axes = plt.subplots(1, 2, figsize=(8, 2.5))
for ax, values, title in [(axes[0], flowers.x, "in cm"), (axes[1], x, "standardised")]:
    ax.boxplot(
        values[train].numpy(),
        orientation="horizontal",
        tick_labels=flowers.feature_names,
    )
    ax.set_title(title)
plt.show()

# %% [markdown]
# ## A first network
#
# Four inputs, eight hidden neurons, three scores. Before training it knows nothing: guessing among three species costs $\ln 3
# \approx 1.10$, and the loss should begin near there.

# %%
tg.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
loss = nn.CrossEntropyLoss()
print("loss before training:", loss(model(x[train]), y[train]).item())

# %% [markdown]
# One training step, for three flowers of the training part, one of each species. Step through it: the scores, the loss, and the
# gradients of all 67 weights and biases.

# %%
one_of_each = [train[y[train] == k][0].item() for k in range(3)]
tg.play(
    loss(model(x[one_of_each]), y[one_of_each]),
    title="one training step with three irises",
)

# %% [markdown]
# [`fit`](../tinygrad_edu/train.py) repeats that: 30 flowers for a step, 3 steps for the whole training part (an **epoch**), 40
# epochs.

# %%
history = tg.fit(
    model,
    (x[train], y[train]),
    loss=loss,
    optimizer=optim.Adam(model.parameters(), lr=0.03),
    epochs=40,
    batch_size=30,
    validation=(x[validation], y[validation]),
    metrics=[accuracy],
    progress=False,
)
history.plot()

# %% [markdown]
# To *see* it learn we need a plane, so for once we let a network have the petals only. Move the slider through its epochs.
# (`tg.record` films any training, weights and gradients included: give `fit` the callback `film = tg.record(samples)`, then
# `film.play()`.)

# %%
petals = x[:, 2:]
tg.manual_seed(1)
small = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = optim.Adam(small.parameters(), lr=0.03)


def pages():
    for epoch in range(0, 29, 4):
        figure = plot_decision(small, petals[train], y[train], steps=100)
        figure.set_size_inches(4.5, 3.5)
        figure.axes[0].set(
            title=f"after {epoch} epochs", xlabel="petal length", ylabel="petal width"
        )
        yield figure
        tg.fit(
            small,
            (petals[train], y[train]),
            loss=loss,
            optimizer=optimizer,
            epochs=4,
            batch_size=30,
            progress=False,
        )


Flipbook(pages(), title="the regions of three species")

# %% [markdown]
# ## How much is luck?
#
# The validation accuracy above is one number from one run. The first weights and the order of the batches were random, and so
# was the split. Let us put a training into a function, with every setting as an argument, and repeat it with other seeds. The
# 30 test flowers stay away; the other 120 are dealt out anew.

# %%
rest = order[:120]


def run(
    seed,
    split_seed=None,
    hidden=(8,),
    dropout=0.0,
    optimizer=optim.Adam,
    lr=0.03,
    batch_size=30,
    epochs=40,
):
    """One training, with the split that belongs to `split_seed` (default: the seed); returns its history."""
    dealing = np.random.default_rng(seed if split_seed is None else split_seed)
    dealt = rest[dealing.permutation(120)]
    train, validation = dealt[:90], dealt[90:]
    x = (flowers.x - flowers.x[train].mean(0)) / flowers.x[train].std(0)
    tg.manual_seed(seed)
    layers, size = [], 4
    for neurons in hidden:
        layers += [nn.Linear(size, neurons), nn.ReLU(), nn.Dropout(dropout)]
        size = neurons
    model = nn.Sequential(*layers, nn.Linear(size, 3))
    return tg.fit(
        model,
        (x[train], y[train]),
        loss=loss,
        optimizer=optimizer(model.parameters(), lr=lr),
        epochs=epochs,
        batch_size=batch_size,
        validation=(x[validation], y[validation]),
        metrics=[accuracy],
        progress=False,
    )


groups = {
    "same split, other seeds": [run(seed, split_seed=0) for seed in range(8)],
    "other splits too": [run(seed) for seed in range(8)],
}
figure, axes = plt.subplots(1, 2, figsize=(8, 2.2), sharey=True)
for ax, number in zip(axes, ["val_loss", "val_accuracy"], strict=True):
    for i, histories in enumerate(groups.values()):
        ends = np.array([h[number][-1] for h in histories])
        ax.scatter(ends, i + np.linspace(-0.2, 0.2, len(ends)), 18)
    ax.set(xlabel=number, yticks=[0, 1], yticklabels=groups, ylim=(1.5, -0.5))
plt.show()

# %% [markdown]
# Each dot is one training of *the same network with the same settings*. With one split (blue) only the first weights and the
# order of the batches differ, and the dots lie close together. With another split for each (orange) they spread about three
# times as far: which thirty flowers happen to be the validation part matters more than most of the settings that we are going
# to try. On 30 flowers one mistake is 3.3 % of accuracy, so the accuracy moves in jumps; the loss is the finer measure.
#
# Two rules follow for comparing settings: repeat with several seeds and show the spread, and give every setting **the same
# splits**, so that they meet the same easy and hard flowers.
#
# ## Hyperparameters, one at a time
#
# A *hyperparameter* is what we choose and training does not. We start from one hidden layer of 8 neurons, Adam with 0.03,
# batches of 30 and 40 epochs, change one thing, and train five times, on five splits. On the left: the validation loss during
# training, the mean of the five runs. On the right: where each run ended, and how many of the 5 · 30 validation flowers were
# taken for another species. Look at the spread of the dots before you believe in a difference.


# %%
def compare(what, choices):
    """Train with each choice, given as {name: settings}, on the same five splits, and draw what happened."""
    _, (left, right) = plt.subplots(
        1, 2, figsize=(7.5, 2.6), width_ratios=[4, 3], sharey=True
    )
    labels = []
    for i, (name, settings) in enumerate(choices.items()):
        histories = [run(seed, **settings) for seed in range(5)]
        left.plot(*mean_of(histories, "val_loss"))
        right.scatter(beside(i), [h["val_loss"][-1] for h in histories], 18)
        labels.append(
            f"{name}\n{sum(30 * (1 - h['val_accuracy'][-1]) for h in histories):.0f} wrong"
        )
    left.set(title=what, xlabel="epoch", ylabel="validation loss", yscale="log")
    right.set(title="at the end", xlim=(-0.5, len(labels) - 0.5))
    right.set_xticks(range(len(labels)), labels, fontsize=8)
    plt.show()


def beside(i):
    """Places for five dots around i, so that none hides another."""
    return i + np.linspace(-0.15, 0.15, 5)


def mean_of(histories, number):
    """The epochs 1, 2, ... and the mean of several runs."""
    curve = np.mean([h[number] for h in histories], 0)
    return range(1, len(curve) + 1), curve


compare(
    "hidden layers of 8",
    {"none": {"hidden": ()}, "1": {"hidden": (8,)}, "4": {"hidden": 4 * (8,)}},
)

# %% [markdown]
# **Layers.** Without a hidden layer (blue) the network is a linear classifier, as in tutorial 4: slower, but it takes no more
# flowers for another species than the others do; it is only less sure. One hidden layer brings the loss down faster. Four
# overfit: they know the 90 flowers by heart, and are very sure of themselves even when they are wrong. The loss punishes that,
# the count of wrong flowers does not see it.

# %%
compare(
    "neurons in the hidden layer", {str(n): {"hidden": (n,)} for n in (1, 2, 8, 128)}
)

# %% [markdown]
# **Neurons.** One or two are too few: everything must pass through one or two numbers. 128 learn fastest, because more weights
# move at once, but soon their curve turns up again. Around 8 is enough.

# %%
compare("batch size", {str(n): {"batch_size": n} for n in (10, 30, 90)})

# %% [markdown]
# **Batch size.** The training part has 90 flowers: that is 9 steps an epoch with batches of 10, but a single step if all of
# them are one batch. With equal epochs small batches simply get more steps: they arrive first, and begin to overfit first. One
# large batch is not worse, it is slower *per epoch*; where a large batch takes no more time than a small one, as on a GPU, that
# balance changes.

# %%
compare(
    "dropout, 32 neurons",
    {f"p = {p}": {"hidden": (32,), "dropout": p} for p in (0.0, 0.5, 0.8)},
)

# %% [markdown]
# **Dropout** switches neurons off at random while training, each with probability p, so that none can rely on another; in
# validation nothing is dropped. It is made against overfitting, and does what it is made for: without it (blue) the curve turns
# up, with 0.8 (green) it still falls, and the dots lie closer together. The price is slower learning. At the end the three
# meet, and no flower more is right.

# %%
compare(
    "optimizer and its learning rate",
    {
        "SGD\n0.03": {"optimizer": optim.SGD, "lr": 0.03},
        "SGD\n0.3": {"optimizer": optim.SGD, "lr": 0.3},
        "RMSprop\n0.03": {"optimizer": optim.RMSprop, "lr": 0.03},
        "Adam\n0.03": {"optimizer": optim.Adam, "lr": 0.03},
    },
)

# %% [markdown]
# **Optimizer.** With a learning rate of 0.03, SGD (blue) is hopeless and Adam (purple) is good. But give SGD a rate of 0.3
# (orange), and it keeps up! 0.03 means something else to each optimizer: SGD multiplies the gradient by it, Adam takes steps of
# about that size whatever the gradient is. Never compare optimizers at one learning rate.

# %% tags=["volatile"]
compare(
    "learning rate of Adam", {str(lr): {"lr": lr} for lr in (0.003, 0.03, 0.3, 3.0)}
)

# %% [markdown]
# **Learning rate.** The setting that matters most, and the only one here that can ruin everything. It is searched in powers of
# ten. 0.003 is on its way, 0.03 arrives, 0.3 arrives early and then gets worse, and 3 is thrown about. (So wildly that this
# curve looks different on another computer: the smallest rounding error grows until it decides.)
#
# The last one, the number of **epochs**, needs no new runs for each value, only long ones. (Thick: the mean; thin: each of the
# five runs.)

# %%
histories = [run(seed, hidden=(32,), epochs=150) for seed in range(5)]
figure, ax = plt.subplots(figsize=(6, 2.8))
for color, number, label in [
    ("C0", "loss", "training"),
    ("C1", "val_loss", "validation"),
]:
    ax.plot(*mean_of(histories, number), color, label=label)
    for h in histories:
        ax.plot(*mean_of([h], number), color, linewidth=0.5)
ax.set(xlabel="epoch", ylabel="loss", yscale="log")
ax.legend()
plt.show()

# %% [markdown]
# **Epochs.** This is what overfitting looks like. The training loss falls and falls; the mean validation loss turns around
# after some 20 epochs and grows. The thin lines tell more: in two of the five splits it grows several times over, since the
# network becomes ever more certain, also about the flowers on which it is wrong; in the others it hardly grows. More training
# is not better training. [`EarlyStopping` and `BestWeights`](../tinygrad_edu/train.py) watch the validation loss for you.
#
# ## The test, once
#
# Nothing beat our first settings clearly, so we keep them: one hidden layer of 8, Adam 0.03, 40 epochs. With the settings
# fixed, the validation flowers may join the training. And now, one time, the test:

# %%
mean, width = flowers.x[rest].mean(0), flowers.x[rest].std(0)
x = (flowers.x - mean) / width
tg.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = optim.Adam(model.parameters(), lr=0.03)
tg.fit(
    model,
    (x[rest], y[rest]),
    loss=loss,
    optimizer=optimizer,
    epochs=40,
    batch_size=30,
    progress=False,
)

outputs = tg.predict(model, x[test])
right = round(accuracy(outputs, y[test]) * len(test))
print(f"{right} of {len(test)} test flowers are right: {right / len(test):.1%}")


# %%
def show_confusion(matrix, names):
    counts = matrix.numpy()
    _, ax = plt.subplots(figsize=(3.6, 3))
    ax.imshow(counts, cmap="Blues", vmax=2 * counts.max())
    for (i, j), count in np.ndenumerate(counts):
        ax.text(
            j, i, count, ha="center", va="center", weight="bold" if i == j else "normal"
        )
    ax.set(
        xlabel="taken for",
        ylabel="is",
        xticks=range(len(names)),
        xticklabels=names,
        yticks=range(len(names)),
        yticklabels=names,
    )
    ax.grid(False)
    plt.show()


show_confusion(confusion_matrix(outputs, y[test]), flowers.class_names)

# %% [markdown]
# The **confusion matrix** says which mistakes a network makes: they are what is not on the diagonal. Here there is none at all!
#
# Is the network perfect? Surely not. With the same settings 11 of the 150 validation flowers were wrong, about 7 %. A network
# that errs on 7 % of all irises gets 30 of 30 right with a probability of $0.93^{30} \approx 0.11$: we drew thirty easy
# flowers, and one time in nine one does. So do not report "100 %", report "30 of 30". Had we tried ten networks on the test
# part, one of them would have looked perfect by luck, and we would have picked that one: this is why the test is made once.
#
# ## Two classes, thirty columns
#
# A textbook network for two classes is the chain **30-16-24-dropout-20-24-1**. Thirty inputs: that suits the [tumours of
# Wisconsin](../tinygrad_edu/data/SOURCES.md), 569 samples of breast tissue, each described by 30 measures of the cell nuclei
# seen under a microscope. Was the tumour malignant (0) or benign (1)? In Keras such a chain is written as
#
# ```python
# model = Sequential([
#     Dense(16, input_dim=30, activation="relu"),
#     Dense(24, activation="relu"),
#     Dropout(0.5),
#     Dense(20, activation="relu"),
#     Dense(24, activation="relu"),
#     Dense(1, activation="sigmoid"),
# ])
# model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
# model.fit(x_train, y_train, batch_size=15, epochs=5)
# ```
#
# Here, as in PyTorch, activations are layers of their own, and sigmoid and cross-entropy are one loss, which is exact even
# where the sigmoid is almost 0 or 1 ([why](../tinygrad_edu/ops/likelihood.py)). `nn.Flatten(0)` makes answers of shape (n, 1) into
# (n,), the shape of the targets.


# %%
def chain():
    return nn.Sequential(
        *(nn.Linear(30, 16), nn.ReLU()),
        *(nn.Linear(16, 24), nn.ReLU()),
        nn.Dropout(0.5),
        *(nn.Linear(24, 20), nn.ReLU()),
        *(nn.Linear(20, 24), nn.ReLU()),
        *(nn.Linear(24, 1), nn.Flatten(0)),
    )


tg.summary(chain(), (1, 30))

# %% [markdown]
# 1,933 numbers to learn from fewer than 500 samples. Is all that needed? The honest question for every network is: what would
# the simplest one do? That is a single neuron, with 31 numbers. Same splits for both:

# %%
tumours = breast_cancer()
target = tumours.y.float()
tg.manual_seed(0)
order = tg.randperm(569)
known, unseen = order[:469], order[469:]
binary_loss = nn.BCEWithLogitsLoss()


def neuron():
    return nn.Sequential(nn.Linear(30, 1), nn.Flatten(0))


def train_tumours(make, part, seed, lr, validation=None):
    """A network trained for 12 epochs on a part of the samples; also its history, and all samples as it sees them."""
    x = (tumours.x - tumours.x[part].mean(0)) / tumours.x[part].std(0)
    tg.manual_seed(seed)
    model = make()
    history = tg.fit(
        model,
        (x[part], target[part]),
        loss=binary_loss,
        optimizer=optim.Adam(model.parameters(), lr=lr),
        epochs=12,
        batch_size=15,
        validation=None if validation is None else (x[validation], target[validation]),
        metrics=[binary_accuracy],
        progress=False,
    )
    return model, history, x


figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 2.6), width_ratios=[3, 2])
shares = []
for make, lr in [(chain, 0.001), (neuron, 0.01)]:
    histories = []
    for seed in range(5):
        dealt = known[np.random.default_rng(seed).permutation(469)]
        histories.append(
            train_tumours(make, dealt[:369], seed, lr, validation=dealt[369:])[1]
        )
    left.plot(*mean_of(histories, "val_loss"))
    shares.append([h["val_binary_accuracy"][-1] for h in histories])
    right.scatter(beside(len(shares) - 1), shares[-1], 18)
left.set(xlabel="epoch", ylabel="validation loss", yscale="log")
labels = [
    f"{name}\nmean {np.mean(share):.1%}"
    for name, share in zip(["chain", "one neuron"], shares, strict=True)
]
right.set(
    ylabel="validation accuracy", xlim=(-0.5, 1.5), xticks=[0, 1], xticklabels=labels
)
plt.show()

# %% [markdown]
# One neuron is as good as the chain: their means differ by less than the five chains differ among themselves. For a table like
# this one a linear classifier is hard to beat. Deep networks pay off where the inputs are raw (pixels, sounds, words), so that
# features have to be invented first. Without this comparison we would have praised the chain.
#
# The test, once, for the chain that this section set out to build. First its confusion matrix:

# %%
model, _, x = train_tumours(chain, known, seed=0, lr=0.001)
probability = tg.predict(model, x[unseen]).sigmoid()  # that the tumour is benign
print(
    f"test accuracy {binary_accuracy(probability, target[unseen], threshold=0.5):.1%}"
)
show_confusion(
    confusion_matrix((probability > 0.5).long(), tumours.y[unseen]), tumours.class_names
)

# %% [markdown]
# The two kinds of mistakes do not weigh the same. A benign tumour taken for malignant means another examination; a malignant
# one taken for benign may go untreated, and all three mistakes are of that kind. Who says that 0.5 must be the border? Ask for
# more certainty before saying "benign", and one kind of mistake is traded for the other:

# %%
thresholds = np.linspace(0.01, 0.99, 99)
benign = tumours.y[unseen].numpy() == 1
said = probability.numpy()[:, None] > thresholds
figure, ax = plt.subplots(figsize=(6, 2.8))
ax.step(
    thresholds,
    said[~benign].sum(0),
    color="C4",
    label=f"missed: of {(~benign).sum()} malignant",
)
ax.step(
    thresholds,
    (~said[benign]).sum(0),
    color="C0",
    label=f"false alarms: of {benign.sum()} benign",
)
ax.set(xlabel="say benign if the probability is above", ylabel="samples")
ax.legend()
plt.show()

# %% [markdown]
# At 0.97 only one malignant tumour is missed, for one false alarm. (In earnest the threshold too is a hyperparameter, to be
# chosen with validation samples. This picture only explains, and none of this is medical advice.)
#
# ## Exercise 1: standardise
#
# Write the function: the training data come out with mean 0 and standard deviation 1 in each column, and the other data on the
# same scale.


# %% tags=["exercise"]
def standardise(train, other):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    rng = np.random.default_rng(0)
    one, two = (
        tg.tensor(rng.normal(5, 3, (50, 4))),
        tg.tensor(rng.normal(7, 1, (20, 4))),
    )
    new_one, new_two = standardise(one, two)
    means, widths = new_one.mean(0).numpy(), new_one.std(0).numpy()
    assert np.allclose(means, 0, atol=1e-6), (
        f"the columns of the training part should have mean 0; they have {means.round(3)}."
    )
    assert np.allclose(widths, 1, atol=0.02), (
        f"the columns of the training part should have standard deviation 1; they have {widths.round(3)}."
    )
    assert not np.allclose(new_two.mean(0).numpy(), 0, atol=1e-6), (
        "the other part was centred by its own mean; use the training part's."
    )
    both = tg.cat([one, two]).numpy(), tg.cat([new_one, new_two]).numpy()
    scale = [np.diff(values[[0, -1]], axis=0) for values in both]
    assert np.allclose(scale[1] * one.std(0).numpy(), scale[0], rtol=0.02), (
        "both parts should be shifted and divided by the same numbers."
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def standardise(train, other):
#     mean, width = train.mean(0), train.std(0)
#     return (train - mean) / width, (other - mean) / width
# ```
#
# </details>

# %% [markdown]
# ## Exercise 2: what is found
#
# The *recall* of a class is the share of its samples that were taken for it: of all malignant tumours, how many were found?
# Compute it for every class from a confusion matrix (row: what it is; column: what it was taken for).


# %% tags=["exercise"]
def recall(matrix):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    matrix = tg.tensor([[8, 2, 0], [1, 30, 9], [0, 0, 5]])
    found = [round(float(share), 4) for share in recall(matrix)]
    assert found == [0.8, 0.75, 1.0], (
        f"of {matrix.tolist()}, 8 of 10, 30 of 40 and 5 of 5 were found: 0.8, 0.75 and 1, not {found}."
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def recall(matrix):
#     return matrix.diagonal() / matrix.sum(1)
# ```
#
# Divided by the sums of the *columns* it would be the precision: how far you can trust the answer.
#
# </details>

# %% [markdown]
# ## Exercise 3: small is beautiful
#
# Find settings for `run` with at most 35 weights and biases whose runs with the seeds 0 to 4 end with a mean validation loss
# below 0.16.

# %% tags=["exercise"]
settings = ...  # such as {"hidden": (8,), "lr": 0.03, "epochs": 40}

# %% jupyter={"source_hidden": true} tags=["check"]
with check(settings):
    sizes = [4, *settings.get("hidden", (8,)), 3]
    numbers = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    assert numbers <= 35, (
        f"layers of {sizes} neurons have {numbers} weights and biases."
    )
    end = np.mean([run(seed, **settings)["val_loss"][-1] for seed in range(5)])
    assert end < 0.16, (
        f"with {numbers} weights and biases the mean validation loss is {end:.3f}."
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# Without a hidden layer there are only 4 · 3 + 3 = 15 numbers. In our first picture that network was not bad, it was not
# finished:
#
# ```python
# settings = {"hidden": (), "lr": 0.1, "epochs": 40}
# ```
#
# </details>

# %% [markdown]
# ## The code behind it
#
# - [`fit`, `evaluate`, `predict`](../tinygrad_edu/train.py) and the callbacks; [`metrics`](../tinygrad_edu/metrics.py)
# - [`iris`, `breast_cancer`](../tinygrad_edu/data/sets.py) and [where the data come from](../tinygrad_edu/data/SOURCES.md)
# - [`Dropout`](../tinygrad_edu/nn/dropout.py), [`Adam` and its relatives](../tinygrad_edu/optim/adaptive.py),
#   [`summary`](../tinygrad_edu/nn/summary.py)
#
# Next: [9. What can a network approximate?](09_what_can_a_network_approximate.ipynb)
