"""The command line, as a learner meets it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.cli import OPTIMIZERS, TASKS, main

MNIST = Path(__file__).parents[2] / "shared" / "data" / "mnist"


def accuracy(text: str) -> float:
    found = re.search(r"held-out accuracy ([\d.]+)%", text)
    assert found is not None
    return float(found[1])


def told(text: str) -> str:
    """The output without the progress bar, which tells speed and time."""
    return "\n".join(line for line in text.splitlines() if "/s" not in line)


def test_without_arguments(capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    text = capsys.readouterr().out
    assert accuracy(text) >= 93
    assert "confusion matrix" in text
    assert "versicolor" in text
    assert "backprop.html" in text
    page = (tmp_path / "backprop.html").read_text("utf-8")
    assert "loss = cross_entropy(z, y)" in page


def test_as_a_module() -> None:
    command = [sys.executable, "-m", "tinygrad_edu", "train", "xor", "--epochs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "held-out accuracy" in done.stdout


@pytest.mark.parametrize(("name", "least"), [("iris", 93), ("xor", 95), ("moons", 95), ("spirals", 90)])
def test_small_sets_are_learnt(name: str, least: float, capsys: pytest.CaptureFixture) -> None:
    assert main(["train", name]) == 0
    assert accuracy(capsys.readouterr().out) >= least


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_on_offer_trains(name: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["train", "xor", "--epochs", "1", "--optimizer", name]) == 0
    assert "held-out accuracy" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("digits", 97), ("sine", 95)])
def test_larger_sets_are_learnt(name: str, least: float, capsys: pytest.CaptureFixture) -> None:
    assert main(["train", name]) == 0
    assert accuracy(capsys.readouterr().out) >= least


@pytest.mark.slow
@pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST's files are not there")
def test_mnist(capsys: pytest.CaptureFixture) -> None:
    assert main(["train", "mnist", "--data", str(MNIST), "--epochs", "1"]) == 0
    assert accuracy(capsys.readouterr().out) >= 95


def test_the_same_seed_gives_the_same_numbers(capsys: pytest.CaptureFixture) -> None:
    def run(seed: int) -> str:
        main(["train", "iris", "--epochs", "5", "--seed", str(seed)])
        return told(capsys.readouterr().out)

    assert run(3) == run(3) != run(4)


def test_settings(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "weights.safetensors"
    settings = "--epochs 1 --lr 0.1 --optimizer sgd --batch-size 50 --hidden 7 5 --seed 1 --device cpu --save"
    assert main(["train", "iris", *settings.split(), str(path)]) == 0
    text = capsys.readouterr().out
    assert "4 → 7 → 5 → 3" in text
    shapes = {name: value.shape for name, value in tg.load(path).items()}
    assert shapes["layers.0.weight"] == (7, 4)
    assert shapes["layers.2.weight"] == (3, 5)
    assert np.isfinite(tg.load(path)["mean"].numpy()).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train", "NAME"),
        ("train cifar", "invalid choice: 'cifar'"),
        ("tarin iris", "invalid choice: 'tarin'"),
        ("--what", "--what"),
        ("train iris --epochs 0", "0 is not a positive whole number"),
        ("train iris --epochs many", "many is not a positive whole number"),
        ("train iris --batch-size 1.5", "1.5 is not a positive whole number"),
        ("train iris --lr small", "small is not a positive number"),
        ("train iris --lr -1", "-1 is not a positive number"),
        ("train iris --lr nan", "nan is not a positive number"),
        ("train iris --hidden 8 0", "0 is not a positive whole number"),
        ("train iris --optimizer lbfgs", "invalid choice: 'lbfgs'"),
        ("train iris --seed x", "x"),
        ("train iris --save /no/such/folder/x", "its folder does not exist"),
        ("train iris --plot .", "it is a folder"),
        ("train iris --film x.png", "x.png must end with .html, .gif or .mp4"),
        ("train iris --plot x.doc", "x.doc must end with .png, .svg or .pdf"),
        ("train iris --optimizer swa_utils", "invalid choice: 'swa_utils'"),
    ],
)
def test_bad_arguments(arguments: str, message: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [("train iris --device gpu", "there is no device 'gpu'"), ("train mnist --data /no/such/folder", "train-images-idx3-ubyte")],
)
def test_what_is_not_there(arguments: str, message: str, capsys: pytest.CaptureFixture) -> None:
    assert main(arguments.split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_missing_matplotlib(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["train", "xor", "--plot", str(tmp_path / "x.png")]) == 2
    assert 'pip install "tinygrad-edu[plot]"' in capsys.readouterr().err


def test_plot(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("matplotlib")
    assert main(["train", "xor", "--epochs", "3", "--plot", str(tmp_path / "x.png")]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x-boundary.png", "x.png"]


def test_a_file_that_may_not_be_written_is_refused_before_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(SystemExit):
        main(["train", "xor", "--save", str(tmp_path / "x")])
    assert "there is no permission to write there" in capsys.readouterr().err


def test_film(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "film.html"
    assert main(["train", "xor", "--epochs", "2", "--film", str(path)]) == 0
    assert "film of the training" in capsys.readouterr().out
    assert '"format":"tinygrad_edu.film/1"' in path.read_text("utf-8")


def test_a_missing_ffmpeg_is_said_before_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["train", "xor", "--film", str(tmp_path / "x.mp4")]) == 2
    said = capsys.readouterr()
    assert "install the program ffmpeg" in said.err
    assert not said.out


def test_film_as_an_animation_needs_matplotlib(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["train", "xor", "--film", "x.gif"]) == 2
    assert 'pip install "tinygrad-edu[plot]"' in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", "train", "step", "draw", "play", "learn"])
def test_help_fits_a_terminal(command: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_help_has_examples(arguments: list[str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "python -m tinygrad_edu train digits" in text
    assert all(name in text for name in TASKS)
