# %% 1: multiplied, not added
gradient, steps = 9.0, 66

# %% 1: one factor too many
gradient, steps = 0.9**11, 66

# %% 1: one factor too few
gradient, steps = 0.9**9, 66

# %% 1: 0.5 is not right
gradient, steps = 0.5, 66

# %% 1: the gradient comes first
gradient, steps = 66, 0.9**10

# %% 1: round up
gradient, steps = 0.9**10, 65.6

# %% 1: 65 steps back it is 0.00106
gradient, steps = 0.9**10, 65

# %% 1: but 66 steps back it is so already
gradient, steps = 0.9**10, 67


# %% 2: what does it hear of the first
def run(x, w, u, b):  # hears nothing
    return tg.stack([tg.tanh(w @ step + b) for step in x])


# %% 2: what does it hear of the first
def run(x, w, u, b):  # each hears the wrong neurons
    h, states = tg.zeros(len(b)), []
    for step in x:
        h = tg.tanh(w @ step + b + h @ u)
        states.append(h)
    return tg.stack(states)


# %% 2: the first state is not
def run(x, w, u, b):
    h, states = tg.ones(len(b)), []
    for step in x:
        h = tg.tanh(w @ step + b + u @ h)
        states.append(h)
    return tg.stack(states)


# %% 2: the shape (3,), not (1, 3)
def run(x, w, u, b):  # the last state only
    h = tg.zeros(len(b))
    for step in x:
        h = tg.tanh(w @ step + b + u @ h)
    return h


# %% 2: not a list
def run(x, w, u, b):
    h, states = tg.zeros(len(b)), []
    for step in x:
        h = tg.tanh(w @ step + b + u @ h)
        states.append(h)
    return states


# %% 2: has forgotten its weights
def run(x, w, u, b):
    h, states = tg.zeros(len(b)), []
    for step in x:
        h = tg.tanh(w @ step + b + u @ h).detach()
        states.append(h)
    return tg.stack(states)


# %% 2: something cuts the way back
def run(x, w, u, b):
    h, states = tg.zeros(len(b)), []
    for step in x:
        h = tg.tanh(w @ step + b + u @ h.detach())
        states.append(h)
    return tg.stack(states)


# %% 3: the direction is another one
def clip(parameters, limit):  # every number alone
    length = sum((p.grad**2).sum() for p in parameters).sqrt()
    for p in parameters:
        p.grad = p.grad.clamp(-limit / 2, limit / 2)
    return length


# %% 3: the direction is another one
def clip(parameters, limit):  # every tensor alone
    length = sum((p.grad**2).sum() for p in parameters).sqrt()
    for p in parameters:
        p.grad = p.grad * (limit / 2 / p.grad.norm())
    return length


# %% 3: you changed them
def clip(parameters, limit):  # and lengthens
    length = sum((p.grad**2).sum() for p in parameters).sqrt()
    for p in parameters:
        p.grad = p.grad * (limit / length)
    return length


# %% 3: have the length 13.000 afterwards
def clip(parameters, limit):  # nothing is kept
    length = sum((p.grad**2).sum() for p in parameters).sqrt()
    for p in parameters:
        p.grad.mul(limit / length)
    return length


# %% 3: they are shorter: 1.000
def clip(parameters, limit):  # to 1, whatever the limit
    length = sum((p.grad**2).sum() for p in parameters).sqrt()
    if length > limit:
        for p in parameters:
            p.grad /= length
    return length


# %% 3: they are shorter: 0.500
def clip(parameters, limit):  # forgets the root
    length = sum((p.grad**2).sum() for p in parameters)
    if length > limit**2:
        for p in parameters:
            p.grad *= limit / length
    return length.sqrt()


# %% 3: return the length
def clip(parameters, limit):
    length = sum((p.grad**2).sum() for p in parameters).sqrt()
    if length > limit:
        for p in parameters:
            p.grad *= limit / length


# %% 3: you return 6.500
def clip(parameters, limit):
    length = sum((p.grad**2).sum() for p in parameters).sqrt()
    if length > limit:
        for p in parameters:
            p.grad *= limit / length
    return sum((p.grad**2).sum() for p in parameters).sqrt()
