# %% 1: that is the shape of a * b
shape = (4, 2, 3)

# %% 1: aligned at the right
shape = (4, 3)

# %% 1: 2 are left, not 1
shape = (3,)

# %% 1: a shape is a tuple
shape = 6


# %% 2: has forgotten x
def power(x, n):
    return tg.tensor(x.item() ** n)


# %% 2: is a float, not a tensor
def power(x, n):
    return x.item() ** n


# %% 2: power(1.5, 1) is 1.5000; yours is 2.2500
def power(x, n):
    result = x
    for _ in range(n):
        result = result * x
    return result


# %% 2: at 1.5 the slope for n = 2 is 3.0000
def power(x, n):
    result = x
    for _ in range(n - 1):
        result = result * x.detach()
    return result


# %% 2: was made by pow
def power(x, n):
    return x**n


# %% 2: this raised TypeError
def power(x):
    return x


# %% 3: the means of the rows should be 0
def center(table):
    return table - table.mean(dim=1)


# %% 3: the means of the rows should be 0
def center(table):
    return table - table.mean()


# %% 3: differences must stay
def center(table):
    return table * 0


# %% 3: for a table of shape (3, 3) the result has the shape (9,)
def center(table):
    return (table - table.mean(dim=1, keepdim=True)).flatten()
