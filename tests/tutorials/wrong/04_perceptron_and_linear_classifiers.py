# %% 1: for (0, 0) the score is 0 and the answer 0; it should be 1
w1, w2, bias = 0, 0, 0

# %% 1: for (1, 1) the score is 0.5 and the answer 1; it should be 0
w1, w2, bias = -1, -1, 2.5

# %% 1: this raised
w1, w2, bias = "-1", -1, 1.5


# %% 2: and is the target, yet W and b became
def correct(W, b, x, target):
    W[target] += x
    return W, b


# %% 2: of class 2 was taken for class 0
def correct(W, b, x, target):
    return W, b


# %% 2: of class 2 was taken for class 0
def correct(W, b, x, target):
    answer = (W @ x + b).argmax().item()
    W[answer] -= x
    W[target] += x
    return W, b


# %% 3: that is XOR itself
def extra(x1, x2):
    return (x1 - x2) ** 2


# %% 3: it still makes
def extra(x1, x2):
    return x1 + x2
