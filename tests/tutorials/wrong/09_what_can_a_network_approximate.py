# %% 1: three neurons need three numbers
weights = [1 / 0.3, -2 / 0.3]

# %% 1: three neurons need three numbers
weights = 1

# %% 1: the first neuron makes the way up
weights = [-1 / 0.3, 2 / 0.3, -1 / 0.3]

# %% 1: at 0.5 the tent is 0.300 high, not 1
weights = [1, -2, 1]

# %% 1: at 0.8 it is 1.000, not 0: behind 0.5 the slope is 3.333 + (-3.333) = 0.000
weights = [1 / 0.3, -1 / 0.3, 0]

# %% 1: at 1 it is -0.667: the third neuron must end the slope
weights = [1 / 0.3, -2 / 0.3, 0]

# %% 1: at 1 it is 1.333
weights = [1 / 0.3, -2 / 0.3, 3 / 0.3]


# %% 2: those that stay are as large as before
def drop(x, p):
    return x * (tg.rand(x.shape) >= p)


# %% 2: p is the probability to be dropped, not to stay
def drop(x, p):
    return x * (tg.rand(x.shape) < p) / p


# %% 2: whole rows or columns are dropped together
def drop(x, p):
    return x * (tg.rand(x.shape[1]) >= p) / (1 - p)


# %% 2: whole rows or columns are dropped together
def drop(x, p):
    return x * (tg.rand(x.shape[0], 1) >= p) / (1 - p)


# %% 2: a 1 that stays becomes 5.000
def drop(x, p):
    return x * (tg.rand(x.shape) >= p) / p


# %% 2: has forgotten x
def drop(x, p):
    return tg.tensor(x.numpy(force=True) * (np.random.rand(*x.shape) >= p) / (1 - p))


# %% 2: not a ndarray
def drop(x, p):
    return x.numpy(force=True) * (np.random.rand(*x.shape) >= p) / (1 - p)


# %% 2: for a mean of 1 in the long run it should become 1.2500
def drop(x, p):
    stays = (tg.rand(x.shape) > p).to(x.dtype)
    return x * stays / stays.mean()


# %% 2: they must be drawn anew
def drop(x, p):
    rng = np.random.default_rng(0)
    return x * tg.tensor(rng.random(tuple(x.shape)) >= p) / (1 - p)


# %% 2: the result (50, 400)
def drop(x, p):
    return (x * (tg.rand(x.shape) >= p) / (1 - p)).T


# %% 2: not a NoneType
def drop(x, p):
    x = x * (tg.rand(x.shape) >= p) / (1 - p)


# %% 3: there are 2 pieces; there should be 4
def zigzag(layers):
    first = linear(tg.tensor([[1.0], [1.0]]), tg.tensor([0.0, -0.5]))
    last = linear(tg.tensor([[2.0, -4.0]]), tg.tensor([0.0]))
    parts = [first, nn.ReLU(), last]
    for _ in range(layers - 1):
        same = linear(tg.tensor([[1.0], [0.0]]), tg.tensor([0.0, 0.0]))
        parts += [same, nn.ReLU(), linear(tg.tensor([[1.0, 0.0]]), tg.tensor([0.0]))]
    return nn.Sequential(*parts)


# %% 3: from 0 to 2, not from 0 to 1
def zigzag(layers):
    parts = []
    for _ in range(layers):
        parts.append(linear(tg.tensor([[1.0], [1.0]]), tg.tensor([0.0, -0.5])))
        parts.append(nn.ReLU())
        parts.append(linear(tg.tensor([[2.0, 0.0]]), tg.tensor([0.0])))
    return nn.Sequential(*parts)


# %% 3: there should be hidden layers of [2] ReLUs, not []
def zigzag(layers):
    parts = []
    for _ in range(layers):
        parts.append(linear(tg.tensor([[1.0], [1.0]]), tg.tensor([0.0, -0.5])))
        parts.append(linear(tg.tensor([[2.0, -4.0]]), tg.tensor([0.0])))
    return nn.Sequential(*parts)


# %% 3: not [4]
def zigzag(layers):
    n = 2**layers
    corners = tg.arange(n) / n
    signs = tg.tensor([2.0 * n * (-1) ** k for k in range(n)])
    signs[0] = n
    return nn.Sequential(
        linear(tg.ones(n, 1), -corners),
        nn.ReLU(),
        linear(signs[None], tg.zeros(1)),
    )


# %% 3: should return a model
def zigzag(layers):
    def tents(x):
        for _ in range(layers):
            x = 2 * x.relu() - 4 * (x - 0.5).relu()
        return x

    return tents


# %% 3: not the shape (33, 2)
def zigzag(layers):
    parts = []
    for _ in range(layers):
        parts.append(nn.Linear(1 if not parts else 2, 2))
        parts.append(nn.ReLU())
    return nn.Sequential(*parts)
