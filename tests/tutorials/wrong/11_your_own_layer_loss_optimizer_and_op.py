# %% 1: twice too much
def rule_for_e(g, z, x, e):
    return g / (2 * (2 * z - x))


# %% 1: the sign is wrong
def rule_for_e(g, z, x, e):
    return -g / (4 * (2 * z - x))


# %% 1: does not use g
def rule_for_e(g, z, x, e):
    return 1 / (4 * (2 * z - x))


# %% 1: the slope of the root for x
def rule_for_e(g, z, x, e):
    return g * x / (2 * (2 * z - x))


# %% 1: On paper
def rule_for_e(g, z, x, e):
    return g / (4 * (x * x + e))


# %% 1: this raised GradcheckError: gradgradcheck
def rule_for_e(g, z, x, e):
    return g * 1 / (4 * np.sqrt(tg.as_tensor(x * x + e).numpy(force=True)))


# %% 1: this raised TypeError
rule_for_e = 0.25


# %% 2: finds nothing to learn
class Bend(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.log_e = tg.full((features,), 0.1).log()

    def forward(self, x):
        return (x + (x * x + self.log_e.exp()).sqrt()) / 2


# %% 2: the parameter is e itself
class Bend(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.e = nn.Parameter(tg.full((features,), 0.1))

    def forward(self, x):
        return (x + (x * x + self.e).sqrt()) / 2


# %% 2: has the shape ()
class Bend(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.log_e = nn.Parameter(tg.tensor(0.1).log())

    def forward(self, x):
        return (x + (x * x + self.log_e.exp()).sqrt()) / 2


# %% 2: should start at 0.1
class Bend(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.log_e = nn.Parameter(tg.zeros(features))

    def forward(self, x):
        return (x + (x * x + self.log_e.exp()).sqrt()) / 2


# %% 2: before super().__init__() was called
class Bend(nn.Module):
    def __init__(self, features):
        self.log_e = nn.Parameter(tg.full((features,), 0.1).log())


# %% 2: the first row should become
class Bend(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.log_e = nn.Parameter(tg.full((features,), 0.1).log())

    def forward(self, x):
        return smooth_relu(x)


# %% 2: the first row should become
class Bend(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.log_e = nn.Parameter(tg.full((features,), 0.1).log())

    def forward(self, x):
        return (x + (x * x + self.log_e).sqrt()) / 2


# %% 2: no gradient reaches the parameter
class Bend(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.log_e = nn.Parameter(tg.full((features,), 0.1).log())

    def forward(self, x):
        return (x + (x * x + self.log_e.detach().exp()).sqrt()) / 2


# %% 2: a setting gets no gradient
class Bend(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.log_e = nn.Parameter(tg.full((features,), 0.1).log())

    def forward(self, x):
        return smooth_relu(x, e=self.log_e.exp())


# %% 3: judge returned True. It need not return anything
def judge(operation):
    try:
        test_derivatives(operation)
        test_values(operation)
    except Exception:
        return False
    return True


# %% 3: not called the operation once
def judge(operation):
    def holds(x):
        assert gradcheck(operation, x)


# %% 3: for positive x only
def judge(operation):
    assert gradcheck(operation, tg.tensor([0.5, 1.0], requires_grad=True))


# %% 3: second derivative is lost
def judge(operation):
    assert gradcheck(operation, tg.tensor([-0.5, 1.0], requires_grad=True))


# %% 3: gives twice the right value
def judge(operation):
    test_derivatives(operation)


# %% 3: half of what it should be
def judge(operation):
    test_values(operation)


# %% 3: another e
def judge(operation):
    test_derivatives(operation)
    assert tg.allclose(operation(tg.tensor(3.0)) - operation(tg.tensor(-3.0)), tg.tensor(3.0))


# %% 3: far below 0
def judge(operation):
    test_derivatives(operation)
    x = tg.linspace(-2, 2, 5)
    assert tg.allclose(operation(x), composed(x))


# %% 3: you refused a right one
def judge(operation):
    x = tg.linspace(-2, 2, 5)
    assert tg.allclose(operation(x), x.relu())


# %% 3: is never positive
def judge(operation):
    test_derivatives(operation)
    test_values(operation)
