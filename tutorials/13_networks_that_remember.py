# %% [markdown]
# # 13. Networks that remember
#
# **You understand the end of a sentence because you still know how it began. How can a network know what it has read before?**
#
# Every network so far got all of its input at once, and forgot it with the answer. A *recurrent* network reads one piece after
# the other, and hands something on from step to step. You will build a memory from a single neuron, send gradients back through
# time, see why they get lost on the way, repair that with gates, and in the end have a network invent chemical elements.
#
# You need tutorials [2](02_backprop_step_by_step.ipynb) (gradients add up), [5](05_three_classes_three_losses.ipynb) (scores and
# cross-entropy) and [6](06_walking_downhill.ipynb) (optimizers). About 30 minutes.

# %%
import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.exercises import check
from tinygrad_edu.nn import functional as F
from tinygrad_edu.plot import Flipbook

plt.style.use("tinygrad_edu.figures")
tg.set_default_dtype(tg.float64)  # 16 digits: rounding decides nothing

# %% [markdown]
# ## A neuron that hears itself
#
# Take one neuron with a tanh, and give it a second input: **what it said a moment ago**. With $x$ for the input, $h$ for what it
# says (its *state*), and a weight for each:
#
# $$h \leftarrow \tanh(w \cdot x + u \cdot h)$$
#
# The input is silent most of the time, with three short pulses: up, down, up. Let it be heard well, $w = 3$. What does the neuron
# say, if $u$ is 0, 0.6, 1 or 2?


# %%
def listen(inputs, w, u):
    """What the neuron says at each step; before the first it is silent."""
    h, said = 0.0, []
    for x in inputs:
        h = np.tanh(w * x + u * h)
        said.append(h)
    return said


pulses = np.zeros(36)
pulses[[3, 15, 27]] = 1, -1, 1
said = {u: listen(pulses, 3, u) for u in (0, 0.6, 1, 2)}

# %% jupyter={"source_hidden": true}
ORANGE_BLUE = LinearSegmentedColormap.from_list("orange-blue", ["C1", "white", "C0"])
figure, axes = plt.subplots(len(said), 1, figsize=(7, 4.2), sharex=True, sharey=True)
for ax, (u, states) in zip(axes, said.items(), strict=True):
    ax.vlines(range(36), 0, pulses, color="C1", linewidth=2)
    ax.plot(states, ".-", color="C0")
    ax.axhline(0, color="C5", linewidth=0.6)
    ax.set(ylim=(-1.15, 1.15), yticks=[-1, 0, 1])
    ax.set_ylabel(f"u = {u:g}", rotation=0, ha="right", va="center")
axes[-1].set_xlabel("step")
axes[0].set_title("pulses (orange) and what the neuron says (blue)", fontsize=9)
plt.show()

# %% [markdown]
# With 0 it is the old neuron: it answers, and has forgotten. With 0.6 there is an echo that fades, with 1 one that fades
# slowly. And with 2 it *remembers*: long after a pulse it still says which way the last one went. One neuron, one number of
# memory, and nothing in it was built to store anything.
#
# Why does 2 hold on, and 0.6 not? Without input a step is $h \leftarrow \tanh(u \cdot h)$. In the picture the blue line is that
# function. Start on the grey diagonal at your $h$, go up or down to the blue line (a step), then sideways to the diagonal (what
# it said is what it hears next), and again. Move the slider.


# %% jupyter={"source_hidden": true}
def stairs(u, h, steps):
    """The corners of the walk between the diagonal and tanh(u·h)."""
    corners = [(h, h)]
    for _ in range(steps):
        after = np.tanh(u * h)
        corners += [(h, after), (after, after)]
        h = after
    return np.array(corners)


def walks(steps):
    figure, axes = plt.subplots(1, 3, figsize=(7.5, 2.7))
    line = np.linspace(-1, 1, 200)
    for ax, u, start in zip(axes, (0.6, 1, 2), (0.9, 0.9, 0.1), strict=True):
        ax.plot(line, line, color="C5", linewidth=1)
        ax.plot(line, np.tanh(u * line), color="C0")
        ax.plot(*stairs(u, start, steps).T, color="C1", linewidth=1.2)
        h = stairs(u, start, steps)[-1, 0]
        ax.plot(h, h, "o", color="C1")
        ax.set(
            title=f"u = {u:g}: h = {h:.3f}", xlim=(-1, 1), ylim=(-1, 1), aspect="equal"
        )
        ax.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    figure.suptitle(f"after {steps} steps", fontsize=9)
    plt.close(figure)
    return figure


Flipbook(
    [walks(n) for n in (0, 1, 2, 3, 4, 6, 8, 12, 16, 24)],
    title="where a state goes when the input is silent",
)

# %% [markdown]
# Where the lines cross, a step changes nothing. With 0.6 they cross at 0 only, and every walk ends there: forgotten. With 1
# they do too, but lie so close together there that the steps become tiny. With 2 there are two more crossings, near −0.96 and
# 0.96, and all but 0 itself runs into one of them, even from a start of 0.1. Two places to be are what it takes to keep one
# bit.
#
# ## Backwards through time
#
# A recurrent *layer* is many such neurons that hear each other. Its states are a vector, and $w$ and $u$ are matrices:
#
# $$h_t = \tanh(W x_t + b + U h_{t-1})$$
#
# How would it *learn* what to remember? By nothing new. Written out, three steps are three layers, one after the other, that
# happen to have the same weights. The graph is recorded while your loop runs, as in [tutorial
# 1](01_tensors_and_dynamic_graphs.ipynb), and `backward()` goes back along it, through all steps. Here with one neuron, so that
# you can follow the numbers. Play it, and watch the gradient of `u` on the way back: **u was used three times, so it gets three
# parts.**

# %%
w = tg.tensor(1.0, requires_grad=True, name="w")
u = tg.tensor(0.8, requires_grad=True, name="u")
xs = [
    tg.tensor(x, requires_grad=True, name=f"x{t}")
    for t, x in enumerate([1.0, -0.5, 0.25], start=1)
]

h = tg.tensor(0.5, name="h0")
states = []
for x in xs:
    h = tg.tanh(w * x + u * h)
    states.append(h)
    h.name = f"h{len(states)}"
tg.play(h, title="three steps of a recurrent neuron, and back")

# %% [markdown]
# This is called **backpropagation through time**, which sounds like more than it is.
#
# What does the first input have to say about the last state? On the way back its gradient went through every step, and each
# multiplied it by a number: by $u$, and by the slope of tanh, which is $1 - h^2$.
#
# $$\frac{\partial h_3}{\partial x_1} = u(1-h_3^2) \cdot u(1-h_2^2) \cdot w(1-h_1^2)$$

# %%
h.backward()
slopes = [(1 - h * h).item() for h in states]
by_hand = 0.8 * slopes[2] * 0.8 * slopes[1] * 1.0 * slopes[0]
print(f"by hand {by_hand:.6f}, by backward() {xs[0].grad.item():.6f}")
for t, x in enumerate(xs, start=1):
    print(f"x{t} {x.grad.item():.4f}")

# %% [markdown]
# Read the three gradients from the last input to the first: they shrink. A factor for every step back, and slopes of tanh are
# never above 1. For two steps that is no harm. For fifty?
#
# ## How far back does blame reach?
#
# Now a layer of 32 neurons, and 50 steps. Its matrix $U$ is drawn at random, and multiplied so that it stretches by 0.5, 1 or
# 1.5 in the long run (that is the size of its largest eigenvalue). From the last state we go back and ask every state on the
# way how large its gradient is. `retain_grad()` lets a state that an operation made keep it.


# %%
def reach(stretch, steps=50, size=32):
    """The size of the gradient that arrives at each state, from the last one back."""
    rng = np.random.default_rng(1)
    U = rng.normal(size=(size, size))
    U = tg.tensor(U * stretch / abs(np.linalg.eigvals(U)).max())
    h = tg.tensor(rng.normal(size=size) * 1e-12, requires_grad=True)
    states = [h]
    for x in tg.tensor(rng.normal(size=(steps, size)) * 1e-12):
        h = tg.tanh(x + U @ h)
        h.retain_grad()
        states.append(h)
    h.sum().backward()
    return [state.grad.norm().item() for state in states]


_, ax = plt.subplots(figsize=(6.5, 3))
for stretch in (0.5, 1, 1.5):
    ax.plot(range(51), reach(stretch), label=f"stretches by {stretch:g}")
ax.set(xlabel="step", ylabel="gradient of its state", yscale="log")
ax.legend()
plt.show()

# %% [markdown]
# Look at the scale: a straight line here means *times the same number at every step*. With 0.5 the gradient **vanishes**: fifty
# steps back $10^{-15}$ is left of it, and whatever should be learnt there drowns in what is nearer. With 1.5 it **explodes**,
# and one step of an optimizer throws the weights far away. Between the two is only a narrow path. (S. Hochreiter described this
# in his diploma thesis of 1991; Y. Bengio, P. Simard and P. Frasconi in [*Learning long-term dependencies with gradient descent
# is difficult*](https://doi.org/10.1109/72.279181), 1994.)
#
# The inputs here are tiny, so that tanh is nearly a straight line and its slopes are 1. Try 1.0 in place of `1e-12`: louder
# inputs bend it, and then even 1.5 vanishes. Vanishing is the rule.
#
# Against explosions there is a blunt and good remedy: if all gradients together are too long, shorten them, and keep their
# direction. `nn.utils.clip_grad_norm_` does it (exercise 3: do it yourself). Against vanishing it does nothing.
#
# ## A test of memory
#
# Let us measure it. A sequence of letters, each a, b, c or d at random; at its end the network shall say **which came first**.
# Everything after it is a distraction. A letter is given as four numbers, one of which is 1.


# %% tags=["volatile"]
def sequences(count, steps):
    """So many sequences, (steps, count, 4), and the letter that came first in each."""
    letters = tg.randint(0, 4, (steps, count))
    return F.one_hot(letters, 4).double(), letters[0]


class Reader(nn.Module):
    """A recurrent layer, and from its last state a score for each letter."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.score = nn.Linear(layer.hidden_size, 4)

    def forward(self, x):
        states, _ = self.layer(x)  # one after each step: (steps, count, hidden)
        return self.score(states[-1])


def learn(reader, steps, rounds=400):
    """How many in 64 are right, round by round; every round has new sequences."""
    optimizer = optim.Adam(reader.parameters(), lr=0.01)
    right = []
    for _ in range(rounds):
        x, first = sequences(64, steps)
        scores = reader(x)
        loss = F.cross_entropy(scores, first)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimizer.step()
        right.append((scores.argmax(1) == first).double().mean().item())
    return right


for steps in (3, 10, 30):
    shares = []
    for seed in (1, 2, 3, 4):
        tg.manual_seed(seed)
        right = learn(Reader(nn.RNN(4, 24)), steps)
        shares.append(np.mean(right[-100:]))  # in the end
    print(f"{steps:2} letters:", *(f"{share:.0%}" for share in shares))

# %% [markdown]
# `nn.RNN(4, 24)` is the layer from above: 4 numbers in, 24 neurons. Four of them tried each length, and guessing gives 25%.
# Three letters they have all learnt, and ten. With thirty it is a matter of luck: half of it, hardly anything, or nothing.
#
# ## Gates
#
# What goes wrong is that the state is *computed anew* at every step: pressed through $U$ and tanh, whether there is something
# new or not. The **LSTM** (S. Hochreiter and J. Schmidhuber, [*Long short-term
# memory*](https://doi.org/10.1162/neco.1997.9.8.1735), 1997) has a second state, the *cells* $c$, which are left alone unless a
# gate says otherwise. A gate is a neuron with a sigmoid: 0 is shut, 1 is open.
#
# - $f$, the forget gate: how much of the cell stays. (Open means *keep*. It was added three years later.)
# - $i$, the input gate: how much of the new content $n$ comes in.
# - $o$, the output gate: how much of the cell is shown, as $h$.
#
# $$c \leftarrow f \cdot c + i \cdot n \qquad\qquad h \leftarrow o \cdot \tanh(c)$$
#
# Every cell has its own: these are vectors, multiplied element by element. All four, $i$, $f$, $n$ and $o$, are computed from
# the input and from $h$, each with weights of its own, which stand one below the other in a matrix for the input and one for
# $h$. That is all:


# %%
def lstm_step(layer, x, h, c):
    """One step of nn.LSTM, in the open: gates and content, then the two states."""
    all_four = F.linear(x, layer.weight_ih_l0, layer.bias_ih_l0)
    all_four = all_four + F.linear(h, layer.weight_hh_l0, layer.bias_hh_l0)
    i, f, n, o = all_four.chunk(4, dim=-1)
    i, f, n, o = i.sigmoid(), f.sigmoid(), n.tanh(), o.sigmoid()
    c = f * c + i * n
    h = o * c.tanh()
    return h, c, (i, f, n, o)


tg.manual_seed(0)
layer = nn.LSTM(4, 24)
x, _ = sequences(5, 30)
h = c = tg.zeros(5, 24)
for letter in x:
    h, c, _ = lstm_step(layer, letter, h, c)
print("equal to nn.LSTM:", tg.allclose(h, layer(x)[0][-1]))

# %% [markdown]
# What does that do to a gradient? On the direct way from a cell to the next it is multiplied by $f$, and by nothing else. No
# matrix, no tanh. If the gate is open, with $f$ near 1, blame passes as it is, as far back as you like. (What comes by way of
# $h$ and the gates is added to that.)
#
# *If* it is open. A new layer has small weights and biases, so its forget gates stand at about $\sigma(0) = 0.5$: half of
# everything is forgotten at every step. So let them begin with a bias above 0, as F. Gers, J. Schmidhuber and F. Cummins did, who
# invented the forget gate ([*Learning to forget*](https://doi.org/10.1162/089976600300015015), 2000). We take 3, for
# $\sigma(3) \approx 0.95$. How much of the blame arrives at each letter, before anything is learnt?


# %%
def reader(kind, open_gates=False):
    tg.manual_seed(1)
    made = Reader(kind(4, 24))
    if open_gates:
        with tg.no_grad():
            # the rows of the forget gates stand behind those of 24 input gates
            made.layer.bias_ih_l0[24:48] = 3.0
    return made


MEMORIES = {
    "RNN": reader(nn.RNN),
    "LSTM": reader(nn.LSTM),
    "LSTM, gates open": reader(nn.LSTM, open_gates=True),
}

tg.manual_seed(2)
x, first = sequences(64, 30)
_, ax = plt.subplots(figsize=(6.5, 3))
for name, made in MEMORIES.items():
    given = x.clone().requires_grad_()
    F.cross_entropy(made(given), first).backward()
    made.zero_grad()
    blame = given.grad.norm(dim=(1, 2))  # of each step
    ax.plot(range(1, 31), (blame / blame[-1]).tolist(), ".-", label=name)
ax.set(xlabel="letter", ylabel="gradient, the last letter's = 1", yscale="log")
ax.legend()
plt.show()

# %% [markdown]
# The first letter is the one that counts, and it is the leftmost point. To the RNN and the plain LSTM next to nothing arrives
# there, a millionth and less. With the gates open more than half of it does. Which of the three should learn thirty letters?

# %%
progress = {}
for name, made in MEMORIES.items():
    tg.manual_seed(3)
    progress[name] = learn(made, 30)
    print(f"{name:17} {np.mean(progress[name][-100:]):.0%} right")


# %% jupyter={"source_hidden": true}
_, ax = plt.subplots(figsize=(6.5, 3))
for name, right in progress.items():
    smooth = np.convolve(right, np.ones(20) / 20, "valid")
    ax.plot(range(20, 401), smooth, label=name)
ax.axhline(0.25, color="C5", linewidth=1, linestyle="--")
ax.set(xlabel="round", ylabel="right (mean of 20 rounds)", ylim=(0, 1.03))
ax.legend()
plt.show()

# %% [markdown]
# The two LSTMs are the same layer with the same formulas, and 24 numbers at the start make all the difference. (The RNN may be
# lucky now and then, as you saw above. The plain LSTM was not in 3,000 rounds.) So if a network does not learn, look how far
# its gradients reach.
#
# ## Looking at a memory
#
# The third network *does* remember. Where? Let it read four sequences that differ **in their first letter only**. Whatever is
# different in its cells later on must be what it remembers. So take the cells, and subtract the mean of the four. A row is one
# of 24 cells, a column is a letter of the sequence; blue is above the mean, orange below. Above them is the same for the states
# of the RNN (with a scale of its own, since they are smaller):

# %% tags=["cover", "volatile"]
tg.manual_seed(4)
letters = tg.randint(0, 4, (30, 1)).repeat(1, 4)
letters[0] = tg.arange(4)
x = F.one_hot(letters, 4).double()

kept = {}
with tg.no_grad():
    rnn_states, _ = MEMORIES["RNN"].layer(x)
    kept["RNN: states"] = rnn_states.numpy()
    remembers = MEMORIES["LSTM, gates open"]
    h = c = tg.zeros(4, 24)
    cells = []
    for letter in x:
        h, c, _ = lstm_step(remembers.layer, letter, h, c)
        cells.append(c.numpy())
    kept["LSTM: cells"] = np.array(cells)

figure, axes = plt.subplots(2, 4, figsize=(8, 3.8))
for row, (name, steps) in zip(axes, kept.items(), strict=True):
    apart = steps - steps.mean(1, keepdims=True)
    limit = abs(apart).max()
    for ax, k in zip(row, range(4), strict=True):
        ax.imshow(
            apart[:, k].T, aspect="auto", cmap=ORANGE_BLUE, vmin=-limit, vmax=limit
        )
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
    row[0].set_ylabel(name)
for ax, letter in zip(axes[0], "abcd", strict=True):
    ax.set_title(f"{letter}, then the same 29", fontsize=9)
plt.show()

# %% [markdown]
# The difference that the first letter made to the RNN is gone after some ten steps: from there on it is in the same state in
# all four pictures, and cannot know. In the cells of the LSTM the difference stays to the end, in stripes: some cells are blue
# for an *a*, others for a *b*. It even grows: what the cells show as $h$ goes into the gates of the next step, and they add
# more of it. There is no single place where "the letter" is kept. It is a pattern over many cells.
#
# ## Spelling
#
# A memory for letters can do more than repeat one. If it can say **what comes next**, it can write: say a letter, hear it, say
# the next. That is what language models do, whatever their size.
#
# Ours learns from the names of the 118 chemical elements ([IUPAC](https://iupac.org/what-we-do/periodic-table-of-elements/)). A
# point stands for the beginning and the end of a name. At each letter of each name it is asked for the next, all names at once.
# Shorter names are filled up, and −100 is the label that cross-entropy leaves out.

# %%
ELEMENTS = """
hydrogen helium lithium beryllium boron carbon nitrogen oxygen fluorine neon sodium
magnesium aluminium silicon phosphorus sulfur chlorine argon potassium calcium
scandium titanium vanadium chromium manganese iron cobalt nickel copper zinc gallium
germanium arsenic selenium bromine krypton rubidium strontium yttrium zirconium
niobium molybdenum technetium ruthenium rhodium palladium silver cadmium indium tin
antimony tellurium iodine xenon caesium barium lanthanum cerium praseodymium neodymium
promethium samarium europium gadolinium terbium dysprosium holmium erbium thulium
ytterbium lutetium hafnium tantalum tungsten rhenium osmium iridium platinum gold
mercury thallium lead bismuth polonium astatine radon francium radium actinium thorium
protactinium uranium neptunium plutonium americium curium berkelium californium
einsteinium fermium mendelevium nobelium lawrencium rutherfordium dubnium seaborgium
bohrium hassium meitnerium darmstadtium roentgenium copernicium nihonium flerovium
moscovium livermorium tennessine oganesson
"""
NAMES = ELEMENTS.split()
LETTERS = ".abcdefghijklmnopqrstuvwxyz"


def numbers(text):
    return tg.tensor([LETTERS.index(letter) for letter in text])


heard = nn.utils.rnn.pad_sequence([numbers("." + name) for name in NAMES])
wanted = nn.utils.rnn.pad_sequence(
    [numbers(name + ".") for name in NAMES], padding_value=-100
)
print(len(NAMES), "names", heard.shape, "letters")


# %%
class Speller(nn.Module):
    """From letters, (steps, count), a score for every next letter; and the memory after the last."""

    def __init__(self, hidden=48):
        super().__init__()
        self.letters = nn.Embedding(27, 12)  # 12 numbers for each letter, learnt
        self.layer = nn.LSTM(12, hidden)
        self.score = nn.Linear(hidden, 27)

    def forward(self, letters, memory=None):
        states, memory = self.layer(self.letters(letters), memory)
        return self.score(states), memory


def invent(speller, courage=0.8):
    """Say a letter, hear it, say the next, until the point. Without courage only the likeliest."""
    name, letter, memory = "", numbers("."), None
    with tg.no_grad():
        while len(name) < 16:
            scores, memory = speller(letter[None], memory)
            chances = (scores[0, 0] / courage).softmax(0)
            letter = tg.multinomial(chances, 1)  # drawn by its chance
            if letter.item() == 0:
                break
            name += LETTERS[letter.item()]
    return name


tg.manual_seed(1)
speller = Speller()
optimizer = optim.Adam(speller.parameters(), lr=0.01)
for epoch in range(121):
    scores, _ = speller(heard)
    loss = F.cross_entropy(scores.flatten(0, 1), wanted.flatten())
    if epoch in (0, 10, 20, 40, 80, 120):
        said = " ".join(invent(speller) for _ in range(5))
        print(f"epoch {epoch:3}, loss {loss.item():.2f}: {said}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% [markdown]
# From noise to endings, and on to names that could be true. In epoch 120 most *are*: it begins to know the list by heart. It
# says a hundred more; here are those that nobody has discovered:

# %%
new = {name for name in (invent(speller) for _ in range(100)) if name not in NAMES}
print(textwrap.fill(f"{len(new)} different ones: {' '.join(sorted(new))}", 84))

# %% [markdown]
# What does it expect while it spells? Let it read one of these, and look at the chances that it gives to each next letter. A
# column for each letter read, from white (never) to black (certain); the ring is what came.


# %%
def expectations(speller, name):
    with tg.no_grad():
        scores, _ = speller(numbers("." + name)[:, None])
    return scores[:, 0].softmax(1).T.numpy()


word = "platadium"
_, ax = plt.subplots(figsize=(5.5, 4.6))
ax.imshow(expectations(speller, word), cmap="gray_r", vmin=0, vmax=1, aspect="auto")
ax.set(yticks=range(27), xticks=range(len(word) + 1))
ax.set_yticklabels(LETTERS, fontsize=7)
ax.set_xticklabels([f".{word}"[: k + 1][-3:] for k in range(len(word) + 1)], fontsize=8)
for column, letter in enumerate(word + "."):
    ax.plot(
        column, LETTERS.index(letter), "o", markersize=11, fillstyle="none", color="C1"
    )
ax.set(xlabel="read so far (the last three letters)", ylabel="next letter")
ax.grid(False)
plt.show()

# %% [markdown]
# After "plat" it thinks of platinum, and then it is surprised. After "adi" nothing is open any more: "um", and the end. It
# knows that the name is over because it remembers more than the last letter: an *m* at another place is no end.
#
# (Here each step must wait for the one before. Transformers, which came later, look at all letters at once and need no state;
# `nn.TransformerEncoder` is one. But what they look back at has to be kept, all of it, and a recurrent network carries what it
# needs in a state of fixed size, however long the text.)
#
# ## What to take along
#
# - A recurrent network hands its state from step to step. Its steps share their weights, so gradients of all steps add up.
# - Backpropagation through time is backpropagation: the graph has as many layers as there were steps.
# - Each step multiplies the gradient: below 1 it vanishes, above 1 it explodes. Clipping helps against the second only.
# - A gate that is open lets a cell, and its gradient, pass unchanged. See that it is open when you begin.
# - Whatever can say what comes next can write.
#
# ## Exercise 1: how long is an echo?
#
# A neuron without tanh: $h_t = x_t + 0.9 \cdot h_{t-1}$. How large is the gradient of $h_{11}$ with respect to $x_1$, ten steps
# before? And how many steps back must an input be, at least, so that its gradient is below 0.001? (The logarithm helps, or a
# loop.)

# %% tags=["exercise"]
gradient, steps = ..., ...

# %% jupyter={"source_hidden": true} tags=["check"]
with check(gradient, steps):
    assert steps >= 1, "the gradient comes first, then the steps."
    assert abs(gradient - 9) > 0.01, "ten factors of 0.9 are multiplied, not added."
    assert abs(gradient - 0.9**11) > 0.001, (
        "that is one factor too many: x1 itself goes into h1 as it is."
    )
    assert abs(gradient - 0.9**9) > 0.001, (
        "that is one factor too few: from h1 to h11 there are ten steps."
    )
    assert abs(gradient - 0.9**10) < 0.005, (
        f"{gradient} is not right: x1 goes into h1 as it is, and every step after that multiplies by 0.9."
    )
    assert steps == int(steps), f"{steps} is no number of steps: round up."
    assert 0.9**steps < 0.001, (
        f"{steps} steps back it is {0.9**steps:.5f}, which is not below 0.001."
    )
    assert 0.9 ** (steps - 1) >= 0.001, (
        f"{steps} steps back it is below 0.001, but {steps - 1} steps back it is so already."
    )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# Ten steps, ten factors. And $0.9^k < 0.001$ for $k > \ln 0.001 / \ln 0.9 = 65.6$.
#
# ```python
# gradient, steps = 0.9**10, 66
# ```
#
# </details>

# %% [markdown]
# ## Exercise 2: your own recurrent layer
#
# Write `run(x, w, u, b)`: the states after each step of $h_t = \tanh(W x_t + b + U h_{t-1})$, for inputs `x` of shape (steps,
# inputs) and weights `w` (hidden, inputs), `u` (hidden, hidden) and `b` (hidden,). The state before the first step is zeros.
# Return all of them as one tensor, (steps, hidden). (`tg.stack` makes one tensor of a list of tensors.)


# %% tags=["exercise"]
def run(x, w, u, b):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    for inputs, hidden, steps in [(2, 3, 1), (2, 3, 2), (3, 4, 6)]:
        tg.manual_seed(0)
        layer = nn.RNN(inputs, hidden)
        x = tg.randn(steps, inputs)
        w, u = layer.weight_ih_l0, layer.weight_hh_l0
        b = (layer.bias_ih_l0 + layer.bias_hh_l0).detach()
        right, own = layer(x)[0].detach(), run(x, w, u, b)
        assert isinstance(own, tg.Tensor), (
            f"the result should be one tensor, not a {type(own).__name__}: tg.stack(list) makes one."
        )
        assert own.shape == right.shape, (
            f"{steps} steps of {hidden} neurons: the result has the shape {tuple(own.shape)}, not {tuple(right.shape)}."
        )
        assert tg.allclose(own[0], right[0]), (
            "the first state is not tanh(W·x + b): the state before it is zeros."
        )
        assert tg.allclose(own, right), (
            "the first state is right, the second one is not: what does it hear of the first? Each row of U makes one number of U·h."
        )
        assert own.requires_grad, (
            "the result has forgotten its weights: compute with tensors, not with .item() or .numpy()."
        )
        own_gradient = tg.autograd.grad(own[-1].sum(), w)[0]
        assert tg.allclose(
            own_gradient, tg.autograd.grad(layer(x)[0][-1].sum(), w)[0]
        ), (
            "the states are right, but blame does not reach the first step: something cuts the way back."
        )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def run(x, w, u, b):
#     h, states = tg.zeros(len(b)), []
#     for step in x:
#         h = tg.tanh(w @ step + b + u @ h)
#         states.append(h)
#     return tg.stack(states)
# ```
#
# </details>

# %% [markdown]
# ## Exercise 3: against explosions
#
# Write `clip(parameters, limit)`. Take all gradients together as one long vector: its length is the root of the sum of all
# their squares. If it is longer than `limit`, multiply every gradient by one and the same factor, so that it has this length
# then. If it is not, leave them alone. Return the length that it had before.


# %% tags=["exercise"]
def clip(parameters, limit):
    raise NotImplementedError


# %% jupyter={"source_hidden": true} tags=["check"]
with check():
    for limit in (6.5, 1.0, 100.0):  # the last is long enough
        parameters = [
            tg.zeros(2, requires_grad=True),
            tg.zeros(2, 1, requires_grad=True),
        ]
        parameters[0].grad = tg.tensor([3.0, -4.0])
        parameters[1].grad = tg.tensor([[12.0], [0.0]])  # 9 + 16 + 144 = 13 squared
        before = clip(parameters, limit)
        after = tg.cat([p.grad.flatten() for p in parameters])
        length = after.norm().item()
        if limit == 100:
            assert tg.equal(after, tg.tensor([3.0, -4.0, 12.0, 0.0])), (
                "these gradients were short enough, and you changed them."
            )
        assert length <= limit + 1e-3, (
            f"gradients of length 13, all together, with the limit {limit:g}, have the length {length:.3f} afterwards."
        )
        if limit < 13:
            assert tg.allclose(
                after / length, tg.tensor([3.0, -4.0, 12.0, 0.0]) / 13, atol=1e-4
            ), (
                "the direction is another one: all gradients must be multiplied by the same factor."
            )
            assert abs(length - limit) < 1e-3, (
                f"they should be as long as the limit, {limit:g}, afterwards; they are shorter: {length:.3f}."
            )
        assert before is not None, "return the length that they had before."
        assert abs(float(before) - 13) < 1e-6, (
            f"the length before was 13, the root of 9 + 16 + 144; you return {float(before):.3f}."
        )

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def clip(parameters, limit):
#     length = sum((p.grad**2).sum() for p in parameters).sqrt()
#     if length > limit:
#         for p in parameters:
#             p.grad *= limit / length
#     return length
# ```
#
# </details>

# %% [markdown]
# ## The code behind it
#
# - [`ops/recurrent.py`](../tinygrad_edu/ops/recurrent.py): a step of each kind in single operations, and the quick ways through all
#   steps, with backpropagation through time written out
# - [`nn/recurrent.py`](../tinygrad_edu/nn/recurrent.py): `RNN`, `LSTM` and `GRU`, layers on one another and in both directions
# - [`nn/utils/clip_grad.py`](../tinygrad_edu/nn/utils/clip_grad.py)
#
# **Back:** [12. Convolutions](12_convolutions.ipynb). This was the last one: [the map of the course](README.md).
