"""What the networks of the books reach on real data. Marked slow; MNIST's files are read from `../shared/data/mnist`, if they are there."""

from __future__ import annotations

from pathlib import Path

import pytest

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from tinygrad_edu.data import DataLoader, TensorDataset, mnist
from tinygrad_edu.metrics import accuracy
from tinygrad_edu.train import evaluate, fit

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "mnist"
needs_mnist = pytest.mark.skipif(not FOLDER.is_dir(), reason="MNIST's files are not there")


@pytest.mark.slow
@needs_mnist
def test_the_sigmoid_network_of_nielsens_book() -> None:
    """784-30-10, quadratic loss, batches of 10, learning rate 3: 95 % (Nielsen, "Neural Networks and Deep Learning", chapter 1)."""
    train, test = mnist(True, FOLDER), mnist(False, FOLDER)
    tg.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 30), nn.Sigmoid(), nn.Linear(30, 10), nn.Sigmoid())
    for layer in (model[1], model[3]):
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
    loader = DataLoader(TensorDataset(train.x[:50_000], F.one_hot(train.y[:50_000], 10).float()), batch_size=10, shuffle=True)
    optimizer = optim.SGD(model.parameters(), lr=3.0)
    best = 0.0
    for _ in range(30):
        for x, y in loader:
            optimizer.zero_grad()
            loss = 0.5 * ((model(x) - y) ** 2).sum(1).mean()
            loss.backward()
            optimizer.step()
        with tg.no_grad():
            best = max(best, accuracy(model(test.x), test.y))
        if best >= 0.95:
            break
    assert best >= 0.95


@pytest.mark.slow
@needs_mnist
def test_a_convolutional_network_in_the_style_of_lenet() -> None:
    train, test = mnist(True, FOLDER), mnist(False, FOLDER)
    tg.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    loss = nn.CrossEntropyLoss()
    fit(model, train, loss=loss, optimizer=optimizer, epochs=4, batch_size=64, callbacks=[schedule], progress=False)
    assert evaluate(model, test, loss=loss, metrics=[accuracy])["accuracy"] >= 0.985
