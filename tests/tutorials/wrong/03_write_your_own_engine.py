# %% 1: engine A is broken, but passes your test. Is anything used twice
@quick
@given(x=numbers, y=numbers)
def test_engine(backward, x, y):
    def g(x, y):
        return (x * y).tanh()

    assert close(gradients(g, [x, y], backward), measured(g, [x, y]))


# %% 1: engine B is broken, but passes your test
@quick
@given(x=numbers, y=numbers)
def test_engine(backward, x, y):
    def g(x, y):
        return (x * y).tanh() - x

    assert close(gradients(g, [x, y], backward), measured(g, [x, y]))


# %% 1: engine C is broken, but passes your test
@quick
@given(x=numbers, y=numbers)
def test_engine(backward, x, y):
    def g(x, y):
        h = (x - y).tanh()
        return h * h + x

    assert close(gradients(g, [x, y], backward), measured(g, [x, y]))


# %% 1: engine E is broken, but passes your test. Which operations
@quick
@given(x=numbers, y=numbers)
def test_engine(backward, x, y):
    def g(x, y):
        h = x * x + y
        u = h + y
        return h * u

    assert close(gradients(g, [x, y], backward), measured(g, [x, y]))


# %% 1: your test fails on a correct engine, with x =
@quick
@given(x=numbers, y=numbers)
def test_engine(backward, x, y):
    found, expected = gradients(f, [x, y], backward), measured(f, [x, y])
    assert found == expected


# %% 1: leave @quick and @given above your test
def test_engine(backward):
    assert close(gradients(f, [0.5, 1.0], backward), measured(f, [0.5, 1.0]))


# %% 1: engine A is broken, but passes your test
@quick
@given(x=numbers, y=numbers)
def test_engine(backward, x, y):
    gradients(f, [x, y], backward)


# %% 1: your test never calls the backward that it is given
@quick
@given(x=numbers, y=numbers)
def test_engine(backward, x, y):
    assert close(gradients(f, [x, y]), measured(f, [x, y]))


# %% 2: engine F is broken, but passes your test
@quick
@given(shapes=broadcastable_shapes(2, max_dims=2, min_side=1, max_side=3), seed=st.integers(0, 99))
def test_arrays(backward, shapes, seed):
    x, _ = two_arrays(shapes, seed)

    def g(x):
        return (x * x).sum()

    assert close(gradients(g, [x], backward), measured_arrays(g, [x]))


# %% 2: engine I is broken, but passes your test. Its numbers are right
@quick
@given(shapes=broadcastable_shapes(2, max_dims=2, min_side=1, max_side=3), seed=st.integers(0, 99))
def test_arrays(backward, shapes, seed):
    x, y = two_arrays(shapes, seed)

    def g(x, y):
        return (x * y).sum()

    for ours, slopes in zip(gradients(g, [x, y], backward), measured_arrays(g, [x, y]), strict=True):
        assert close(np.ravel(ours), np.ravel(slopes))


# %% 2: engine H is broken, but passes your test
@quick
@given(shapes=broadcastable_shapes(2, max_dims=2, min_side=1, max_side=3), seed=st.integers(0, 99))
def test_arrays(backward, shapes, seed):
    def g(x, y):
        return (x * y).sum()

    x, y = two_arrays(shapes, seed)
    for ours, array in zip(gradients(g, [x, y], backward), (x, y), strict=True):
        assert np.shape(ours) == array.shape


# %% 2: engine G is broken, but passes your test
@quick
@given(seed=st.integers(0, 99))
def test_arrays(backward, seed):
    x, y = two_arrays([(3,), (2, 3)], seed)

    def g(x, y):
        return (x * y).sum()

    for ours, slopes in zip(gradients(g, [x, y], backward), measured_arrays(g, [x, y]), strict=True):
        assert np.shape(ours) == slopes.shape
        assert close(ours, slopes)


# %% 2: engine J is broken, but passes your test. Have you tried @
@quick
@given(shapes=broadcastable_shapes(2, max_dims=2, min_side=1, max_side=3), seed=st.integers(0, 99))
def test_arrays(backward, shapes, seed):
    x, y = two_arrays(shapes, seed)

    def g(x, y):
        return (x * y).sum() + x.sum()

    for ours, slopes in zip(gradients(g, [x, y], backward), measured_arrays(g, [x, y]), strict=True):
        assert np.shape(ours) == slopes.shape
        assert close(ours, slopes)


# %% 3: engine K is broken, but passes your test
@quick
@given(x=numbers, y=numbers)
def test_twice(backward, x, y):
    assert close(gradients(f, [x, y], backward), measured(f, [x, y]))


# %% 3: engine L is broken, but passes your test
@quick
@given(x=numbers, y=numbers)
def test_twice(backward, x, y):
    a, b = Value(x), Value(y)
    loss = a * b
    backward(loss)
    once = np.array([a.grad, b.grad])
    backward(loss)
    assert close([a.grad, b.grad], 2 * once)


# %% 3: engine L is broken, but passes your test
@quick
@given(x=numbers, y=numbers)
def test_twice(backward, x, y):
    a, b = Value(x), Value(y)
    backward(f(a, b))
    once = np.array([a.grad, b.grad])
    backward(f(a, b))
    assert close([a.grad, b.grad], 2 * once)


# %% 3: your test fails on a correct engine, with x =
@quick
@given(x=numbers, y=numbers)
def test_twice(backward, x, y):
    a, b = Value(x), Value(y)
    loss = f(a, b)
    backward(loss)
    once = np.array([a.grad, b.grad])
    backward(loss)
    assert close([a.grad, b.grad], once)


# %% 3: this raised NameError
@quick
@given(x=numbers, y=numbers)
def test_twice(backward, x, y):
    backward(los)
