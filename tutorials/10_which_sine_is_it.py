# %% [markdown]
# # 10. Which sine is it?
#
# **A thousand numbers, one wave. A network learns to tell ten frequencies apart. What does it say to a signal that is none of
# them?**
#
# This is a project that students have done in Flux, a library for the language Julia: 200 sine waves, a chain of four layers,
# 200 epochs. It is the first network of this course with more than half a million weights. You will see why one layer is not
# enough, what the chain says before, during and long after its training, how it fares with waves that it never heard, and that
# it is quite sure of itself about plain noise. At the end the same program runs on a GPU, by changing one word.
#
# You need tutorials [4](04_perceptron_and_linear_classifiers.ipynb) (one row of weights for each class),
# [5](05_three_classes_three_losses.ipynb) (softmax) and [8](08_iris.ipynb) (`fit`, batches, epochs). About 30 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.data import DataLoader, sine_waves
from tinygrad_edu.exercises import check
from tinygrad_edu.plot import Flipbook

plt.style.use("tinygrad_edu.figures")

# %% [markdown]
# ## Two hundred waves
#
# Each sample is $\sin(\omega t + \varphi)$ at a thousand times $t$ from 0 to 10. The **frequency** $\omega$ (omega) is 1, 2, ... or
# 10, and it is the class. The **phase** $\varphi$ (phi) says where in its swing the wave begins; there are 20 of them, all around
# the circle. Ten times twenty, and nothing but the frequency counts.

# %%
data = sine_waves()
print(data)
print("the first begins:", data.x[0, :6])

# %% tags=["cover"]
FREQUENCIES = range(1, 11)
SHADES = plt.get_cmap("plasma")(np.linspace(0, 0.85, 10))  # one for each frequency
t = np.linspace(0, 10, 1000)

curves = data.x.numpy()
figure, axes = plt.subplots(2, 5, figsize=(8, 3), sharex=True, sharey=True)
for k, ax in enumerate(axes.flat):
    for phase, width in [(0, 1.8), (4, 0.7), (8, 0.7)]:
        ax.plot(t, curves[20 * k + phase], color=SHADES[k], linewidth=width)
    ax.set_title(f"ω = {k + 1}", fontsize=9)
axes[1, 2].set_xlabel("t")
plt.show()

# %% [markdown]
# Three phases of each. To tell frequencies apart you would count how often a wave goes up and down, wherever it begins. A network
# sees only a thousand inputs. At any one of them, a wave may be anything from −1 to 1, whatever its frequency.
#
# ## A frequency is a circle
#
# A sample of a thousand numbers is a *point* in a space with a thousand axes. Where do these 200 points lie? School
# trigonometry says
#
# $$\sin(\omega t + \varphi) = \cos\varphi \cdot \sin\omega t + \sin\varphi \cdot \cos\omega t$$
#
# So every wave of one frequency is a mixture of the same two waves, $\sin \omega t$ and $\cos \omega t$. Two numbers describe it,
# $(\cos\varphi, \sin\varphi)$, and these lie on a circle. **Each frequency has a plane of its own in that large space, and its waves
# are a circle in it, around 0.**
#
# To look at a plane, we measure how much of its two waves is in each sample: multiply, and take the mean.
# (Twice the mean, since that of $\sin^2$ is ½.)


# %%
def wave(omega, phase):
    """sin(ωt + φ) at the thousand times; of arrays of ω or φ a wave for each."""
    angle = np.asarray(omega)[..., None] * t + np.asarray(phase)[..., None]
    return tg.tensor(np.sin(angle), dtype=tg.float32)


def place(x, omega):
    """Where samples (n, 1000) lie in the plane of a frequency: two numbers for each."""
    plane = tg.stack([wave(omega, 0), wave(omega, np.pi / 2)])  # sin ωt and cos ωt
    return 2 * x @ plane.T / 1000


figure, axes = plt.subplots(1, 3, figsize=(8, 2.9), sharex=True, sharey=True)
for ax, omega in zip(axes, [3, 6, 9], strict=True):
    points = place(data.x, omega).numpy()
    ax.scatter(*points.T, 12, SHADES[data.y.numpy()])
    ax.set(title=f"the plane of ω = {omega}", aspect="equal")
    ax.set(xlabel=f"how much sin {omega}t", ylabel=f"how much cos {omega}t")
plt.show()

# %% [markdown]
# In the plane of $\omega = 3$ the twenty waves with $\omega = 3$ stand on a ring, and all the others, 180 of them, lie in its
# middle: they have nearly nothing of it. (Not exactly nothing, because no whole number of swings fits into the time from 0 to
# 10. The small ring is that of the neighbours, 2 and 4.) So the task is: on which of the ten rings is this point?
#
# ## Why one layer cannot do it
#
# Tutorial 4 had one row of weights for each class. Here that must fail, and the proof is as short as the one for XOR. With every
# wave $x$ its opposite $-x$ is in the data, half a turn further on the ring, and in the same class. Class $c$ has the score $w_c
# \cdot x + b_c$. To be right about both, $c$ must beat every other class $j$ twice:
#
# $$w_c \cdot x + b_c > w_j \cdot x + b_j \qquad \text{and} \qquad -w_c \cdot x + b_c > -w_j \cdot x + b_j$$
#
# Add the two, and the weights are gone: $b_c > b_j$. Only *one* class can have the largest bias. Of every other class a layer gets
# at most one of each pair right: 10 of 20.


# %%
def train(model, data, epochs, lr=0.001):
    """Adam, cross-entropy, batches of 64; returns the history."""
    return tg.fit(
        model,
        data,
        loss=nn.CrossEntropyLoss(),
        optimizer=optim.Adam(model.parameters(), lr=lr),
        epochs=epochs,
        batch_size=64,
        progress=False,
    )


tg.manual_seed(0)
layer = nn.Linear(1000, 10)
train(layer, data, epochs=60)
right = layer(data.x).argmax(1) == data.y
figure, ax = plt.subplots(figsize=(6, 2.2))
ax.bar(FREQUENCIES, right.reshape(10, 20).sum(1).tolist(), color=SHADES)
ax.axhline(10, color="C5", linewidth=1, linestyle="--")
ax.set(xticks=FREQUENCIES, ylim=(0, 20), xlabel="ω", ylabel="right, of 20")
plt.show()

# %% [markdown]
# As predicted: it has learnt about half of each ring.
#
# With a hidden layer it can be done. A neuron whose weights are a wave with $\omega = 3$ speaks up for waves on its side of that
# ring, and the ReLU keeps it silent for the other side. So take three of them, looking in three directions, and add up what they
# say. Here are three such neurons, made by hand:

# %%
degrees = np.arange(361)
weights = 2 * wave(3, np.radians([60, 180, 300])) / 1000  # three neurons, a row each
figure, ax = plt.subplots(figsize=(7, 2.6))
for omega, color in [(3, "C0"), (4, "C1")]:
    neurons = tg.relu(wave(omega, np.radians(degrees)) @ weights.T).numpy()
    if omega == 3:
        ax.plot(degrees, neurons, color="C5", linewidth=1)
    ax.plot(degrees, neurons.sum(1), color=color, label=f"waves with ω = {omega}")
ax.set(xlabel="phase in degrees", xticks=range(0, 361, 60), ylabel="said together")
ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
plt.show()

# %% [markdown]
# The thin lines are the three neurons. Their sum (blue) is near 1 for *every* wave with $\omega = 3$, and small for the neighbour 4
# (orange). From such sums one more layer can decide, so 30 hidden neurons would do for ten frequencies. Nobody will tell the
# network that.
#
# ## The chain
#
# The project's chain gets narrower from layer to layer: **1000-500-125-50-10**. In Flux it is written `Chain(Dense(1000 => 500,
# relu), Dense(500 => 125, relu), ...)`; here, as in PyTorch, ReLU is a layer of its own.


# %%
def chain(classes=10):
    return nn.Sequential(
        *(nn.Linear(1000, 500), nn.ReLU()),
        *(nn.Linear(500, 125), nn.ReLU()),
        *(nn.Linear(125, 50), nn.ReLU()),
        nn.Linear(50, classes),
    )


tg.summary(chain(), (64, 1000))

# %% [markdown]
# 569,935 parameters. Check the first row: $1000 \cdot 500$ weights and 500 biases. That is nearly three for each of the 200,000
# numbers in the data! Such a network could know all samples by heart, and to be right about them would prove nothing. We shall
# come back to that.
#
# ## In batches of 64
#
# A `DataLoader` deals out the samples, shuffled anew for every epoch, 64 at a time. The last batch gets what is left:

# %%
loader = DataLoader(data, batch_size=64, shuffle=True)
for x, y in loader:
    print(x.shape, y.shape)
print("steps in an epoch:", len(loader))

# %% [markdown]
# Now the network begins. Its seed decides the first weights and the order of the batches. Nothing else is random. (If you have a
# GPU, you may change the word in the first line; more on that near the end.)

# %%
device = "cpu"  # or "cuda"

tg.manual_seed(42)
model = chain().to(device)
loss = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=0.01)

# %% [markdown]
# This is one training step, with two waves instead of 64. Step through it: the waves go through four layers and three ReLUs to
# ten scores, and the gradients come back to all eight arrays of parameters. (Of large arrays you see a sample of the numbers.)

# %%
two = [0, 185]  # a wave with ω = 1, one with ω = 10
x, y = data.x[two].to(device), data.y[two].to(device)
tg.play(loss(model(x), y), title="one training step with two waves")

# %% [markdown]
# ## Before training, and after
#
# What does the network say? Softmax makes probabilities of its ten scores. Each page of the next book shows all 200 of these
# answers, one column for each wave: dark is sure. First, before any training. Then the 200 epochs of the project; and since
# that project looked at its predictions again after 375, 400 and 425 epochs, so do we.


# %%
def says(model, x):
    """Ten probabilities for each signal."""
    return tg.predict(model, x).softmax(-1).numpy(force=True)


said, losses = {0: says(model, data.x)}, []
for epoch in [1, 2, 5, 10, 200, 375, 400, 425]:
    history = tg.fit(
        model,
        loader,
        loss=loss,
        optimizer=optimizer,
        epochs=epoch - len(losses),
        progress=False,
    )
    losses += history["loss"]
    said[epoch] = says(model, data.x)


# %% jupyter={"source_hidden": true}
def answers(ax, p):
    """Probabilities (n, 10) as a picture, a column for each signal."""
    ax.imshow(p.T, cmap="Blues", vmin=0, vmax=1, aspect="auto", origin="lower")
    ax.set(yticks=range(10), yticklabels=FREQUENCIES, ylabel="answer ω")
    ax.tick_params(labelsize=8)
    ax.grid(False)


def pages():
    for epoch, p in said.items():
        figure, ax = plt.subplots(figsize=(6.5, 2.6))
        answers(ax, p)
        count = int((p.argmax(1) == data.y.numpy()).sum())
        when = f"after {epoch} epochs" if epoch else "before training"
        ax.set_title(f"{when}: {count} of 200 right")
        ax.set(xlabel="the waves, 20 for each ω")
        ax.set_xticks(np.arange(9.5, 200, 20), FREQUENCIES)
        plt.close(figure)  # the book shows it
        yield figure


# %%
Flipbook(pages(), title="200 answers")

# %% [markdown]
# Before training there is a pale fog: about 0.1 for everything. After one epoch (four steps!) there is a first idea; after ten the
# network knows all 200 waves, and is sure. Then turn to 200, 375, 400 and 425. Can you find a difference?

# %%
changed = (said[200].argmax(1) != said[425].argmax(1)).sum()
most = abs(said[425] - said[200]).max()
print("answers that changed after epoch 200:", changed)
print(f"largest change of a probability: {most:.4f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.6))
left.plot(range(1, 21), losses[:20], ".-")
left.set(xlabel="epoch", ylabel="loss", title="20 epochs")
right.plot(range(1, 426), losses)
right.set(xlabel="epoch", yscale="log", title="425 epochs")
plt.show()

# %% [markdown]
# There is none. The loss goes on falling, but look at the scale on the right: after ten epochs it is already below 0.0001. The
# gradient of each score is *probability − target* ([tutorial 5](05_three_classes_three_losses.ipynb)). When a probability is 1 in
# all seven digits that a `float32` has, that is 0, and there is nothing more to be learnt from this wave. **415 of the 425 epochs
# made the network surer, not wiser.**
#
# ## Other beginnings
#
# Why would anyone ask for 200 epochs, then? Try other seeds. On the left the same network with the same settings, on the right with
# a learning rate ten times smaller:

# %% tags=["volatile"]
figure, axes = plt.subplots(1, 2, figsize=(8, 2.8), sharey=True)
for ax, lr in zip(axes, [0.01, 0.001], strict=True):
    for seed in range(3):
        tg.manual_seed(seed)
        history = train(chain(), data, epochs=16, lr=lr)
        ax.plot(range(1, 17), history["loss"], label=f"seed {seed}", linewidth=1.5)
    ax.set(title=f"Adam, lr = {lr}", xlabel="epoch", yscale="log", ylim=(1e-4, 9))
    ax.set_xticks(range(0, 17, 4))
axes[0].set_ylabel("loss")
axes[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# With 0.01 the training falls and is thrown back, again and again. Adam moves every weight by about the learning rate, however
# small the gradient ([tutorial 6](06_walking_downhill.ipynb) races it against others); with 569,935 weights moving at once, 0.01 is much. So our
# smooth run above was luck: 42 is a seed that we picked. Those who do not pick need patience, and many epochs.
#
# (If the curves on the left look different on your computer, that is no mistake. It adds up in another order, the last digit
# differs, and where a training is thrown about like this, a difference in the last digit soon decides everything. What you can
# rely on: with 0.001 it goes down quietly.)
#
# ## Phases it never heard
#
# Does it know frequencies, or 200 curves by heart? Ask it about phases between those it has learnt, a hundred for each frequency:

# %%
phases = 2 * np.pi * np.arange(100) / 100 + 0.01  # none of the twenty
unseen = wave(np.repeat(FREQUENCIES, 100), np.tile(phases, 10))  # (1000, 1000)
truth = tg.arange(10).repeat_interleave(100)
right = says(model, unseen).argmax(1) == truth.numpy()
print(f"{right.sum()} of {len(unseen)} right")

# %% [markdown]
# All of them. After the picture of the rings this is no wonder: a new phase is a point between two neighbours on the same ring.
# How many points of a ring must it know? We train anew with 1 to 5 phases for each frequency (and the quiet learning rate), and
# ask about all phases. Dark: all ten frequencies are right at this phase; white: none. The dots are the phases it has heard.

# %%
figure, ax = plt.subplots(figsize=(7, 2.6))
shares = []
for count in range(1, 6):
    tg.manual_seed(0)
    learner = chain()
    train(learner, sine_waves(phases=count), epochs=40)
    right = says(learner, unseen).argmax(1) == truth.numpy()
    shares.append(right.reshape(10, 100).mean(0))
    ax.plot(360 * np.arange(count) / count, np.full(count, count - 1), "o", color="C1")
ax.imshow(
    shares, cmap="Blues", vmin=0, vmax=1, aspect="auto", extent=(0, 360, 4.5, -0.5)
)
ax.set(xlabel="phase in degrees", ylabel="phases learnt", xticks=range(0, 361, 60))
ax.set_yticks(range(5), range(1, 6))
ax.grid(False)
plt.show()

# %% [markdown]
# With one phase it knows half of the ring, the half on the side of what it heard. Two opposite phases leave gaps at 90° and 270°,
# where a wave is as far from both as can be. Three are enough! Twenty were generous: that is why the network generalises, and not
# because it was trained for so long.
#
# ## Signals that are no such sine
#
# Now for the question at the top. The network is finished and right about every sine with a whole $\omega$ from 1 to 10. Here is
# one of these, and five signals that have no place in its list. What should it say to them?

# %%
rng = np.random.default_rng(0)
noise = tg.tensor(rng.normal(size=(1000, 1000)), dtype=tg.float32)
signals = {
    "a sine, ω = 3": wave(3, 1),
    "a square wave, ω = 3": wave(3, 1).sign(),
    "ω = 3 and ω = 8 together": wave(3, 1) + wave(8, 0),
    "a sine, ω = 6.5": wave(6.5, 0),
    "noise": noise[0],
    "silence": tg.zeros(1000),
}

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(4, 3, figsize=(8, 5), height_ratios=[2, 3, 2, 3])
places = zip([*axes[0], *axes[2]], [*axes[1], *axes[3]], strict=True)
for (above, below), (name, signal) in zip(places, signals.items(), strict=True):
    above.plot(t, signal.numpy(), color="C5", linewidth=1)
    above.set_title(name, fontsize=9)
    above.set(xticks=[], yticks=[])
    below.bar(FREQUENCIES, says(model, signal[None])[0], color=SHADES)
    below.set(ylim=(0, 1.05), xticks=FREQUENCIES, yticks=[0, 0.5, 1])
    below.tick_params(labelsize=7)
plt.show()

# %% [markdown]
# - The **square wave** is taken for the sine that swings with it. That is sensible.
# - **Two waves at once**: both are in it, equally loud. The network says 3, with certainty, and gives 8 nothing.
# - **6.5** should be "6 or 7, I cannot say". It is neither.
# - **Noise**: it has an opinion on that, too. Only **silence** gives "I have no idea", about 0.1 for each.
#
# It has no other choice. Softmax divides a probability of 1 among ten answers, whatever comes in; "none of these" is not on the
# list. A probability of 0.99 means *of these ten, this one by far*, and not *I know this*. **Softmax is not knowledge.**
#
# Let us go through all frequencies from 0.5 to 13, the whole ones and those between, with twenty phases each. Above, the mean of
# the answers; below, the mean of the largest probability.

# %%
omegas = np.arange(0.5, 13.01, 0.1)
p = says(model, wave(omegas[:, None], np.arange(20) * np.pi / 10))  # (126, 20, 10)

figure, (above, below) = plt.subplots(2, 1, figsize=(8, 3.8), height_ratios=[3, 2])
answers(above, p.mean(1))
above.set_xticks(range(5, len(omegas), 10), range(1, 14))
below.plot(omegas, p.max(2).mean(1))
below.set(xlim=(0.45, 13.05), ylim=(0, 1.05), xticks=range(1, 14), xlabel="ω asked")
below.set_ylabel("how sure")
plt.show()

# %% [markdown]
# Around every whole frequency there is a stair on which it is right and sure. In the gaps between it *should* be in doubt, but the
# curve below hardly dips there. For most phases it is sure of something, and sometimes of something absurd: to 6.5 it answers 4 or
# 5 more often than 6 or 7. And beyond 10 its words mean nothing, but they do not always sound like it.
#
# ## The louder, the surer
#
# One more step. Here are a thousand signals of pure noise, and the same made softer and louder. How sure is the network?

# %%
figure, ax = plt.subplots(figsize=(7, 2.8))
for k, loudness in enumerate([0.1, 1, 10, 100]):
    certainty = says(model, loudness * noise).max(1)
    ax.hist(
        certainty,
        np.linspace(0, 1, 26),
        histtype="step",
        linewidth=2,
        color=f"C{k}",
        label=f"noise · {loudness:g}",
    )
ax.set(xlabel="largest probability", ylabel="of 1000 signals", xlim=(0, 1))
ax.legend(loc="upper center")
plt.show()

# %% [markdown]
# Soft noise gets a modest answer, noise a hundred times as loud a certain one, and it is the same noise! There is a simple reason.
# A ReLU passes on a hundred times as much if it gets a hundred times as much, and so does a layer of weights (only the biases
# stay). So all scores grow with the input, their differences too, and softmax turns large differences into certainty. M. Hein, M.
# Andriushchenko and J. Bitterwolf proved that networks with ReLU are sure almost everywhere far away from their data ([*Why ReLU
# networks yield high-confidence predictions far away from the training data*](https://arxiv.org/abs/1812.05720), 2019).
#
# What helps? To have "none of these" as an answer (exercise 3); scores that have a meaning each by itself, such as those of
# one-vs-all in [tutorial 5](05_three_classes_three_losses.ipynb); or to measure how far a signal is from everything that is known
# (exercise 2). And always: to know what a network was shown, and not to ask it about anything else.
#
# ## The same on a GPU
#
# A graphics processor (GPU) has thousands of small processors, and a layer has work for them: our first one computes $64 \cdot 500$
# sums for a batch, and none of them has to wait for another. To use a GPU of NVIDIA, change one word: `"cpu"` becomes `"cuda"` (so
# NVIDIA calls its way of programming them). What happens then?
#
# - `model.to("cuda")` copies the 569,935 parameters into the memory of the GPU.
# - `fit` and `predict` send each batch to where the model is.
# - No operation changes. They are written for NumPy, and NumPy hands arrays of the GPU to CuPy, its twin for NVIDIA's GPUs
#   ([backend.py](../tinygrad_edu/backend.py), the only file that knows of it).
# - What you want to print or draw has to come back: `.cpu()`, or `.numpy(force=True)` as in our `says`.
#
# Here is the project once more, five epochs of it, as a function of that word. Without a GPU it ends with an error, which says what
# is missing.


# %%
def project(device):
    tg.manual_seed(42)
    model = chain().to(device)
    return train(model, data, epochs=5, lr=0.01)


# %% tags=["volatile"]
for name in ("cpu", "cuda"):
    try:
        history = project(name)
        quickest = 1000 * min(history.seconds)
        print(f"{name}: loss {history['loss'][-1]:.3f}, {quickest:.0f} ms an epoch")
    except RuntimeError as error:
        print(f"{name}: {error}")

# %% [markdown]
# Is it faster? For this chain perhaps not by much: each operation must be sent to the GPU by Python, and 64 waves keep it busy
# for a moment only. The larger the layers and the batches, the more it gains. Measure; the cell above does.
#
# ## What to take along
#
# - The waves of one frequency are a ring. One layer cannot tell rings apart, hidden neurons can.
# - Three phases of each frequency are enough, and ten epochs. More only makes a network surer.
# - If a training is thrown about, lower the learning rate before you ask for more epochs.
# - Softmax says which of its answers fits best, not whether any of them fits. Loud nonsense makes it certain.
# - On a GPU: the same program, one word.
#
# ## Exercise 1: on paper
#
# Another project has 150 waves of 500 numbers, a chain 500-64-10, a `DataLoader` with batches of 32, and 30 epochs. How many
# parameters has the chain, how many waves are in the last batch of an epoch, and how many steps does the optimizer take in all?

# %% tags=["exercise"]
parameters, last_batch, steps = ..., ..., ...

# %% jupyter={"source_hidden": true} tags=["check"]
with check(parameters, last_batch, steps):
    assert parameters != 500 * 64 + 64 * 10, (
        "the weights are all there, but each of the 64 + 10 neurons has a bias too."
    )
    assert parameters == 501 * 64 + 65 * 10, (
        f"the chain has not {parameters!r} parameters: each layer has (inputs + 1) · outputs."
    )
    assert last_batch != 32, "150 is no multiple of 32: the last batch is smaller."
    assert last_batch == 22, (
        f"the last batch has not {last_batch!r} waves: what is left of 150 after the full batches?"
    )
    assert steps != 5, "that is one epoch; there are 30."
    assert steps != 4 * 30, "the last batch of an epoch is smaller, but a step too."
    assert steps == 5 * 30, (
        f"the optimizer does not take {steps!r} steps: one for each batch, in each epoch."
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# The parameters are 500 · 64 + 64 in the first layer and 64 · 10 + 10 in the second. Four full batches hold 128 waves, so 22 are
# left for the fifth.
#
# ```python
# parameters, last_batch, steps = 32064 + 650, 150 - 128, 5 * 30
# ```
#
# </details>

# %% [markdown]
# ## Exercise 2: without a network
#
# The rings give us a classifier without a single learnt number; its idea is J. Fourier's, of 1822. In the plane of its own
# frequency a wave is at a distance of about 1 from the middle, in all other planes it is near 0. `place(x, omega)` from above
# gives the two coordinates of each signal.
#
# Write `fourier(x, limit)` for signals of shape (n, 1000): for each signal the class (0 for ω = 1, ... 9 for ω = 10) in whose
# plane its distance is largest, or **−1, "none of these"**, if even this distance is below the limit. The result is a tensor with
# n numbers.


# %% tags=["exercise"]
def fourier(x, limit):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    found = fourier(unseen, 0.5)
    assert isinstance(found, tg.Tensor), (
        f"the result should be a tensor, not a {type(found).__name__}."
    )
    assert found.shape == (1000,), (
        f"1000 signals need 1000 answers; the result has the shape {tuple(found.shape)}."
    )
    assert not bool((found == truth + 1).all()), (
        "these are the frequencies 1 to 10; the classes begin with 0."
    )
    count = int((found == truth).sum())
    assert count == 1000, (
        f"of 1000 sines {count} are right. The distance from the middle takes both coordinates: √(a² + b²)."
    )
    for what, x in [("noise", noise), ("silence", tg.zeros(2, 1000))]:
        none = fourier(x, 0.5) == -1
        assert bool(none.all()), (
            f"{what} should be −1, none of these; {int((~none).sum())} of {len(x)} are taken for a sine."
        )
    softer = 0.6 * unseen
    assert bool((fourier(softer, 0.9) == -1).all()), (
        "waves of 0.6 have a distance of about 0.6; with a limit of 0.9 they are none of these."
    )
    assert bool((fourier(softer, 0.5) == truth).all()), (
        "waves of 0.6 have a distance of about 0.6, above a limit of 0.5. Is yours the square of it?"
    )
    between = fourier(wave(6.5, np.arange(20) * np.pi / 10), 0.5)
    print("It says to 20 waves with ω = 6.5:", *between.tolist())

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def fourier(x, limit):
#     distances = [(place(x, omega) ** 2).sum(1).sqrt() for omega in range(1, 11)]
#     distances = tg.stack(distances, dim=1)  # (n, 10)
#     return tg.where(distances.amax(1) < limit, -1, distances.argmax(1))
# ```
#
# It is right about all 1000 waves, and it can say no, since a distance has a meaning by itself. If you know such a formula, use
# it. Networks are for where nobody knows one.
#
# </details>

# %% [markdown]
# ## Exercise 3: teach it to say no
#
# Give the network an eleventh answer, class 10: "none of these". For that it needs examples. Write `with_none(x, y)`: it gets the
# 200 waves and their labels, and returns them with 200 more signals and *their* labels appended. Which signals? That is for you to
# choose. The check trains a chain with eleven scores on what you return, and then asks it about noise.


# %% tags=["exercise"]
def with_none(x, y):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    tg.manual_seed(1)
    x, y = with_none(data.x, data.y)
    assert x.shape[1:] == (1000,), (
        f"the signals should have the shape (400, 1000), not {tuple(x.shape)}: append rows, dim=0."
    )
    assert len(x) == len(y), f"there are {len(x)} signals, but {len(y)} labels."
    assert len(x) == 400, f"200 waves and 200 more are 400 signals; these are {len(x)}."
    classes = sorted(set(y.tolist()))
    assert classes == list(range(11)), (
        f"the labels should go from 0 to 10; these are {classes}."
    )
    assert bool((x[y < 10] == data.x).all()), (
        "the 200 waves have changed, or their labels."
    )
    model_11 = chain(11)
    train(model_11, (x, y), epochs=20)
    none = (says(model_11, noise).argmax(1) == 10).mean()
    assert none > 0.9, (
        f"only {none:.0%} of the noise is called none of these. Are your 200 signals all different, "
        "with positive and negative numbers?"
    )
    right = (says(model_11, unseen).argmax(1) == truth.numpy()).mean()
    assert right > 0.98, (
        f"noise is none now, but only {right:.0%} of the sines are right."
    )
    print(f"none of these: {none:.0%} of the noise; right: {right:.0%} of the sines")
    for name, signal in signals.items():
        answer = says(model_11, signal[None])[0].argmax() + 1
        print(f"{name:25}", "none" if answer == 11 else f"ω = {answer}")

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def with_none(x, y):
#     noise = tg.randn(200, 1000)
#     return tg.cat([x, noise]), tg.cat([y, tg.full((200,), 10)])
# ```
#
# Better than one could hope: it says no to 6.5, too, which nobody showed it. Noise points in all directions, so the network had to
# learn what is special about the rings. But the square wave still has a name, and so have two waves at once: they lie far out in
# the planes of the rings, and of that it was shown no example. (Try others. Silence alone, `tg.zeros(200, 1000)`, does nearly as
# well. The same noise 200 times, `tg.randn(1, 1000).expand(200, 1000)`, is useless: that one it learns by heart.)
#
# </details>

# %% [markdown]
# ## The code behind it
#
# - [`sine_waves`](../tinygrad_edu/data/made_up.py); [`DataLoader`](../tinygrad_edu/data/loader.py)
# - [`fit`, `predict`](../tinygrad_edu/train.py); [`summary`](../tinygrad_edu/nn/summary.py)
# - [`softmax`](../tinygrad_edu/ops/softmax.py), [`cross_entropy`](../tinygrad_edu/ops/classification.py),
#   [`Adam`](../tinygrad_edu/optim/adaptive.py)
# - [`backend.py`](../tinygrad_edu/backend.py): devices
#
# **Back:** [9. What can a network approximate?](09_what_can_a_network_approximate.ipynb) **Next:** [11. Your own layer, loss, optimizer and
# operation](11_your_own_layer_loss_optimizer_and_op.ipynb)
