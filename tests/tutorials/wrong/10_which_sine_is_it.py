# %% 1: has a bias too
parameters, last_batch, steps = 500 * 64 + 64 * 10, 22, 150

# %% 1: (inputs + 1) · outputs
parameters, last_batch, steps = 500 * 65 + 64 * 11, 22, 150

# %% 1: the last batch is smaller
parameters, last_batch, steps = 32714, 32, 150

# %% 1: what is left of 150
parameters, last_batch, steps = 32714, 30, 150

# %% 1: that is one epoch
parameters, last_batch, steps = 32714, 22, 5

# %% 1: smaller, but a step too
parameters, last_batch, steps = 32714, 22, 120

# %% 1: one for each batch
parameters, last_batch, steps = 32714, 22, 4500


# %% 2: the classes begin with 0
def fourier(x, limit):
    distances = tg.stack([place(x, omega).norm(dim=1) for omega in range(1, 11)], dim=1)
    return tg.where(distances.amax(1) < limit, -1, distances.argmax(1) + 1)


# %% 2: takes both coordinates
def fourier(x, limit):
    parts = tg.stack([place(x, omega)[:, 0].abs() for omega in range(1, 11)], dim=1)
    return tg.where(parts.amax(1) < limit, -1, parts.argmax(1))


# %% 2: noise should be −1
def fourier(x, limit):
    return tg.stack([place(x, omega).norm(dim=1) for omega in range(1, 11)], dim=1).argmax(1)


# %% 2: with a limit of 0.9 they are none
def fourier(x, limit):
    distances = tg.stack([place(x, omega).norm(dim=1) for omega in range(1, 11)], dim=1)
    return tg.where(distances.amax(1) < 0.5, -1, distances.argmax(1))


# %% 2: Is yours the square of it?
def fourier(x, limit):
    squares = tg.stack([(place(x, omega) ** 2).sum(1) for omega in range(1, 11)], dim=1)
    return tg.where(squares.amax(1) < limit, -1, squares.argmax(1))


# %% 2: not a list
def fourier(x, limit):
    return [0] * len(x)


# %% 2: the result has the shape (100,)
def fourier(x, limit):
    return truth[:100]


# %% 3: but 200 labels
def with_none(x, y):
    return tg.cat([x, tg.randn(200, 1000)]), y


# %% 3: append rows
def with_none(x, y):
    return tg.cat([x, tg.randn(200, 1000)], dim=1), y


# %% 3: these are 201
def with_none(x, y):
    return tg.cat([x, tg.randn(1, 1000)]), tg.cat([y, tg.tensor([10])])


# %% 3: the labels should go from 0 to 10; these are [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11]
def with_none(x, y):
    return tg.cat([x, tg.randn(200, 1000)]), tg.cat([y, tg.full((200,), 11)])


# %% 3: or their labels
def with_none(x, y):
    return tg.cat([tg.randn(200, 1000), x]), tg.cat([y, tg.full((200,), 10)])


# %% 3: all different
def with_none(x, y):
    return tg.cat([x, tg.ones(200, 1000)]), tg.cat([y, tg.full((200,), 10)])


# %% 3: all different
def with_none(x, y):
    return tg.cat([x, tg.randn(1, 1000).expand(200, 1000)]), tg.cat([y, tg.full((200,), 10)])


# %% 3: all different
def with_none(x, y):
    return tg.cat([x, tg.rand(200, 1000)]), tg.cat([y, tg.full((200,), 10)])
