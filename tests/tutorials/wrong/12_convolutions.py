# %% 1: pooling, which halves rows and columns
shape, parameters = (16, 32, 24), 16 * 76

# %% 1: here the channels stand first
shape, parameters = (16, 12, 16), 16 * 76

# %% 1: the channels stand first
shape, parameters = (12, 16, 16), 16 * 76

# %% 1: (16, 15, 11) is not right
shape, parameters = (16, 15, 11), 16 * 76

# %% 1: has 2
shape, parameters = (16, 12), 16 * 76

# %% 1: each filter has a bias too
shape, parameters = (16, 16, 12), 16 * 75

# %% 1: as deep as its input
shape, parameters = (16, 16, 12), 16 * 26

# %% 1: how many weights has one filter
shape, parameters = (16, 16, 12), 16 * 75 + 3


# %% 2: you turned the filter
def convolve(x, w, stride, padding):
    return F.conv2d(x[None], w.flip(1, 2)[None], None, stride, padding)[0, 0]


# %% 2: the result has the shape (2, 6, 6)
def convolve(x, w, stride, padding):
    return F.conv2d(x[:, None], w[None, :1], None, stride, 1)[:, 0]


# %% 2: 7x6 pixels, a window of 2, stride 2, padding 0: the result has the shape (6, 5), not (3, 3)
def convolve(x, w, stride, padding):
    return F.conv2d(x[None], w[None])[0, 0]


# %% 2: 6x5 pixels, a window of 3, stride 1, padding 1: the result has the shape (4, 3), not (6, 5)
def convolve(x, w, stride, padding):
    return F.conv2d(x[None], w[None], None, stride)[0, 0]


# %% 2: the first number should be
def convolve(x, w, stride, padding):
    return F.conv2d(x[None, :1], w[None, :1], None, stride, padding)[0, 0]


# %% 2: not a list
def convolve(x, w, stride, padding):
    return F.conv2d(x[None], w[None], None, stride, padding)[0, 0].tolist()


# %% 2: 7x6 pixels, a window of 2, stride 2, padding 0: the first number
def convolve(x, w, stride, padding):  # the window moves by 1
    x = F.pad(x, [padding] * 4)
    k = w.shape[1]
    result = tg.zeros((x.shape[1] - k) // stride + 1, (x.shape[2] - k) // stride + 1)
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            result[i, j] = (x[:, i : i + k, j : j + k] * w).sum()
    return result


# %% 2: has forgotten the filter
def convolve(x, w, stride, padding):
    return F.conv2d(x[None], w[None], None, stride, padding)[0, 0].detach()


# %% 3: but how many rows
def sees(model, size):
    x = tg.rand(1, 1, size, size, requires_grad=True)
    z = model(x)
    z[0, 0, 10, 10].backward()
    return int((x.grad != 0).sum())


# %% 3: you see all 32 rows
def sees(model, size):
    x = tg.rand(1, 1, size, size, requires_grad=True)
    model(x).sum().backward()
    return int((x.grad[0, 0] != 0).any(dim=1).sum())


# %% 3: a number sees 3 rows, not 2
def sees(model, size):
    x = tg.rand(1, 1, size, size, requires_grad=True)
    model(x)[0, 0, 0, 0].backward()
    return int((x.grad[0, 0] != 0).any(dim=1).sum())


# %% 3: this raised
def sees(model, size):
    x = tg.rand(1, 1, size, size)
    model(x)[0, 0, 5, 5].backward()
    return int((x.grad[0, 0] != 0).any(dim=1).sum())
