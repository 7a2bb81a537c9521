# %% 1: that is uphill
after_one_step, to_the_bottom, flies_off_above = -1.2, 1 / 6, 1 / 3

# %% 1: 0.6 comes from the slope 3
after_one_step, to_the_bottom, flies_off_above = 0.6, 1 / 6, 1 / 3

# %% 1: not 12: the slope is
after_one_step, to_the_bottom, flies_off_above = 12.0, 1 / 6, 1 / 3

# %% 1: Take the derivative twice
after_one_step, to_the_bottom, flies_off_above = 1.2, 1 / 3, 2 / 3

# %% 1: the step ends at 1.8
after_one_step, to_the_bottom, flies_off_above = 1.2, 0.15, 0.3

# %% 1: When is that below −1
after_one_step, to_the_bottom, flies_off_above = 1.2, 1 / 6, 1 / 6


# %% 2: nothing has moved
class MyAdam(optim.Optimizer):
    def update(self, p, g, state, group):
        p = p - group["lr"] * g / np.sqrt(g * g)


# %% 2: goes uphill
class MyAdam(optim.Optimizer):
    def update(self, p, g, state, group):
        p += group["lr"] * g / (np.sqrt(g * g) + group["eps"])


# %% 2: Does t count the steps
class MyAdam(optim.Optimizer):
    def update(self, p, g, state, group):
        p -= group["lr"] * g / (np.sqrt(g * g) + group["eps"])


# %% 2: Correct m and v by
class MyAdam(optim.Optimizer):
    def update(self, p, g, state, group):
        b1, b2 = group["betas"]
        m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
        v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * g * g
        p -= group["lr"] * m / (np.sqrt(v) + group["eps"])


# %% 2: Is the root missing
class MyAdam(optim.Optimizer):
    def update(self, p, g, state, group):
        b1, b2 = group["betas"]
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
        v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * g * g
        p -= group["lr"] * m / (1 - b1**t) / (v / (1 - b2**t) + group["eps"])


# %% 2: divide it by 1 − β₁ᵗ
class MyAdam(optim.Optimizer):
    def update(self, p, g, state, group):
        b1, b2 = group["betas"]
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
        v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * g * g
        p -= group["lr"] * m / (np.sqrt(v / (1 - b2**t)) + group["eps"])


# %% 2: In self all parameters would share them
class MyAdam(optim.Optimizer):
    t, m, v = 0, 0, 0

    def update(self, p, g, state, group):
        b1, b2 = group["betas"]
        self.t += 1
        self.m = b1 * self.m + (1 - b1) * g
        self.v = b2 * self.v + (1 - b2) * g * g
        p -= group["lr"] * self.m / (1 - b1**self.t) / (np.sqrt(self.v / (1 - b2**self.t)) + group["eps"])


# %% 2: v is not corrected
class MyAdam(optim.Optimizer):
    def update(self, p, g, state, group):
        b1, b2 = group["betas"]
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
        v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * g * g
        p -= group["lr"] * m / (1 - b1**t) / (np.sqrt(v) + group["eps"])


# %% 2: Where does ε stand
class MyAdam(optim.Optimizer):
    def update(self, p, g, state, group):
        b1, b2 = group["betas"]
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
        v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * g * g
        p -= group["lr"] * m / (1 - b1**t) / np.sqrt(v / (1 - b2**t) + group["eps"])


# %% 2: this raised KeyError: 'm'
class MyAdam(optim.Optimizer):
    def update(self, p, g, state, group):
        state["m"] = 0.9 * state["m"] + 0.1 * g


# %% 3: it flew off in step
make = partial(optim.SGD, lr=0.1)

# %% 3: Still on its way
make = partial(optim.SGD, lr=0.001)

# %% 3: Still on its way
make = optim.Adam

# %% 3: It swings
make = partial(optim.Adam, lr=0.5, betas=(0.9, 0.9))

# %% 3: this raised TypeError: 'SGD' object is not callable
make = optim.SGD([tg.zeros(2, requires_grad=True)], lr=0.001)
