# %% 1: the neuron's slope is missing
own_delta, weight_gradient, new_weight = -0.2, -0.6, 0.8

# %% 1: 0.05 has the wrong sign
own_delta, weight_gradient, new_weight = 0.05, 0.15, 0.05

# %% 1: the delta is not 0.15
own_delta, weight_gradient, new_weight = 0.15, 0.45, -0.25

# %% 1: the delta is right, the gradient is not -0.05
own_delta, weight_gradient, new_weight = -0.05, -0.05, 0.25

# %% 1: one step uphill
own_delta, weight_gradient, new_weight = -0.05, -0.15, 0.05

# %% 1: the new weight is not 0.15
own_delta, weight_gradient, new_weight = -0.05, -0.15, 0.15

# %% 1: this raised TypeError
own_delta, weight_gradient, new_weight = "-0.05", -0.15, 0.35


# %% 2: an output says z: its slope is 1
def backprop(layers, x, y):
    said = [x]
    for w, b in layers:
        said.append(np.tanh(w @ said[-1] + b))
    delta = (said[-1] - y) * (1 - said[-1] ** 2)
    gradients = []
    for (w, _), heard in zip(layers[::-1], said[-2::-1], strict=True):
        gradients.insert(0, (delta @ heard.T, delta))
        delta = w.T @ delta * (1 - heard**2)
    return gradients


# %% 2: in 2-3-2, dw of layer 1 of 2 is wrong: the layers after it are right. Which slope
def backprop(layers, x, y):
    said = [x]
    for w, b in layers:
        said.append(np.tanh(w @ said[-1] + b))
    delta = layers[-1][0] @ said[-2] + layers[-1][1] - y
    gradients = []
    for (w, _), heard in zip(layers[::-1], said[-2::-1], strict=True):
        gradients.insert(0, (delta @ heard.T, delta))
        delta = w.T @ delta * heard * (1 - heard)
    return gradients


# %% 2: in 3-2, dw of layer 1 of 1 has the wrong sign
def backprop(layers, x, y):
    said = [x]
    for w, b in layers:
        said.append(np.tanh(w @ said[-1] + b))
    delta = y - layers[-1][0] @ said[-2] - layers[-1][1]
    gradients = []
    for (w, _), heard in zip(layers[::-1], said[-2::-1], strict=True):
        gradients.insert(0, (delta @ heard.T, delta))
        delta = w.T @ delta * (1 - heard**2)
    return gradients


# %% 2: in 3-2, dw of layer 1 of 1 has the shape (3, 2); it should be (2, 3)
def backprop(layers, x, y):
    (w, b) = layers[0]
    delta = w @ x + b - y
    return [(x @ delta.T, delta)]


# %% 2: for 2-3-2 there should be 2 pairs (dw, db), not 1
def backprop(layers, x, y):
    said = x
    for w, b in layers[:-1]:
        said = np.tanh(w @ said + b)
    w, b = layers[-1]
    delta = w @ said + b - y
    return [(delta @ said.T, delta)]


# %% 3: its deltas still have the slope in them
def new_cost(a, y):
    return 0.5 * ((a - y) ** 2).sum()


# %% 3: the sign is wrong
def new_cost(a, y):
    return (y * a.log() + (1 - y) * (1 - a).log()).sum()


# %% 3: for a = 0.622 and y = 0 the delta is 0.000; it should be a − y = 0.622
def new_cost(a, y):
    return -(y * a.log()).sum()


# %% 3: sum up
def new_cost(a, y):
    return -(y * a.log() + (1 - y) * (1 - a).log())


# %% 3: it should be a − y
def new_cost(a, y):
    return -(y * a.log() + (1 - y) * (1 - a).log()).mean()


# %% 3: compute with tensors
def new_cost(a, y):
    return 0.5
