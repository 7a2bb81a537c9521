# %% 1: should have mean 0
def standardise(train, other):
    return train, other


# %% 1: should have standard deviation 1
def standardise(train, other):
    return train - train.mean(0), other - train.mean(0)


# %% 1: centred by its own mean
def standardise(train, other):
    return (train - train.mean(0)) / train.std(0), (other - other.mean(0)) / other.std(0)


# %% 1: by the same numbers
def standardise(train, other):
    return (train - train.mean(0)) / train.std(0), (other - train.mean(0)) / other.std(0)


# %% 2: were found
def recall(matrix):
    return matrix.diagonal() / matrix.sum(0)


# %% 2: were found
def recall(matrix):
    return matrix.diagonal()


# %% 3: have 67 weights and biases
settings = {"hidden": (8,)}

# %% 3: the mean validation loss is
settings = {"hidden": ()}
