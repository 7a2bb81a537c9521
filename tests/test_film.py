"""Films: what is recorded is what was there, and recording changes nothing."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import data, nn, optim
from tinygrad_edu.metrics import accuracy
from tinygrad_edu.see import Film, record, recording
from tinygrad_edu.see.film import BINS, GRID, Kept
from tinygrad_edu.train import Callback, ClipGradients, fit, predict

from . import strict_cupy


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6), nn.Dropout(0.3), nn.Tanh(), nn.Linear(6, 2))


def trained(film: Any, epochs: int = 3, **options: Any) -> tuple[nn.Module, Any]:
    tg.manual_seed(0)
    model = network()
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    options = {"metrics": [accuracy], "loss": nn.CrossEntropyLoss(), "batch_size": 50, **options}
    history = fit(model, moons(), optimizer=optimizer, epochs=epochs, callbacks=[film] if film else [], progress=False, **options)
    return model, history


def moons() -> Any:
    return data.moons()


class Witness(Callback):
    """Keeps plain copies of what there is at each step, independently of the film."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict, dict, float]] = []

    def after_backward(self, run: Any) -> None:
        named = list(run.model.named_parameters())
        weights = {name: p.numpy(force=True).copy() for name, p in named}
        self.seen.append((weights, {name: p.grad.numpy(force=True).copy() for name, p in named}, run.loss.item()))


def test_the_numbers_are_those_of_the_training() -> None:
    witness, film = Witness(), record(moons())
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loss = nn.CrossEntropyLoss()
    history = fit(
        model, moons(), loss=loss, optimizer=optimizer, epochs=2, metrics=[accuracy], callbacks=[witness, film], progress=False
    )
    assert [moment.step for moment in film.moments] == [*range(len(witness.seen)), len(witness.seen)]
    for moment, (weights, gradients, value) in zip(film.moments, witness.seen, strict=False):
        assert moment.loss == value
        for kept, true in ((moment.weights, weights), (moment.gradients, gradients)):
            assert kept.keys() == true.keys()
            for name, array in true.items():
                numbers = kept[name].numbers
                assert numbers.shape == list(array.shape)
                assert np.array_equal(np.array(numbers.data, "float32"), array.reshape(-1))
                assert (numbers.min, numbers.max) == (array.min(), array.max())
                assert sum(kept[name].histogram.counts) == array.size
    final = film.moments[-1]
    assert final.loss is None
    assert final.gradients == {}
    assert final.epoch == 2
    assert final.measures == {"accuracy": history["accuracy"][-1]}
    for name, p in model.named_parameters():
        assert np.array_equal(np.array(final.weights[name].numbers.data, "float32"), p.numpy(force=True).reshape(-1))
    steps_an_epoch = len(witness.seen) // 2
    assert [moment.epoch for moment in film.moments[:-1]] == [0] * steps_an_epoch + [1] * steps_an_epoch
    assert film.moments[steps_an_epoch].measures == {"accuracy": history["accuracy"][0]}


def test_recording_leaves_training_unchanged() -> None:
    without, history = trained(None)
    after = tg.get_rng_state().numpy().tobytes()
    film = record(moons())
    model, recorded_history = trained(film)
    assert tg.get_rng_state().numpy().tobytes() == after
    assert dict(history) == dict(recorded_history)
    for (name, value), (_, other) in zip(without.state_dict().items(), model.state_dict().items(), strict=True):
        assert np.array_equal(value.numpy(), other.numpy()), name
    assert all(m.training for m in model.modules())
    assert not any(m._forward_hooks for m in model.modules())


def test_outputs_are_those_of_the_layers() -> None:
    samples = moons()
    film = record((samples.x[:20], samples.y[:20]))
    model, _ = trained(film)
    layers = list(model.children())
    outputs = predict(nn.Sequential(*layers[:4]), samples.x[:20]).numpy()
    kept = film.moments[-1].outputs
    assert list(kept) == ["0", "1", "2", "3", "4"]
    assert kept["3"].numbers.mean == pytest.approx(outputs.mean(), abs=1e-6)
    assert kept["3"].numbers.sample.data[:2] == pytest.approx(outputs[0, :2], abs=1e-6)
    counts, _ = np.histogram(outputs, BINS)
    assert kept["3"].histogram.counts == counts.tolist()


def test_cells_are_what_the_model_says() -> None:
    film = record(moons())
    model, _ = trained(film)
    plane = film.plane
    points = moons().x.numpy()
    assert plane.across[0] < points[:, 0].min() < points[:, 0].max() < plane.across[1]
    for k in (0, 7, 39, 40, 811, 1599):
        row, column = divmod(k, GRID)
        at = [np.linspace(*plane.across, GRID)[column], np.linspace(*plane.up, GRID)[row]]
        said = tg.softmax(predict(model, tg.tensor([at], dtype="float32")), 1).numpy()[0]
        cell = film.moments[-1].cells[k]
        assert cell // 100 == said.argmax()
        assert cell % 100 == pytest.approx(min(99, 100 * said.max()), abs=1.01)


def test_one_output_keeps_the_number() -> None:
    samples = moons()
    film = record((samples.x, samples.y.float()))
    model = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
    fit(model, (samples.x, samples.y.float()), loss=nn.BCEWithLogitsLoss(), optimizer=optim.SGD(model.parameters(), lr=0.1),
        callbacks=[film], progress=False)  # fmt: skip
    corner = tg.tensor([[film.plane.across[0], film.plane.up[0]]], dtype="float32")
    assert film.plane.outputs == 1
    assert film.moments[-1].cells[0] == pytest.approx(model(corner).item(), rel=1e-3)


def test_gradients_after_the_callbacks_before() -> None:
    film = record()
    tg.manual_seed(0)
    model = network()
    fit(model, moons(), loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), lr=0.1),
        callbacks=[ClipGradients(1e-3), film], progress=False)  # fmt: skip
    squares = (kept.numbers.std**2 + kept.numbers.mean**2 for kept in film.moments[0].gradients.values())
    sizes = (math.prod(kept.numbers.shape) for kept in film.moments[0].gradients.values())
    assert sum(a * b for a, b in zip(squares, sizes, strict=True)) == pytest.approx(1e-6, rel=1e-3)


def test_json_and_back() -> None:
    film = record(moons(), title="<Moons> ∂")
    trained(film, epochs=1)
    text = film.to_json()
    again = Film.from_json(text)
    assert json.loads(text)["format"] == "tinygrad_edu.film/1"
    assert again.moments == film.moments
    assert again.plane == film.plane
    assert again.to_json() == text


@pytest.mark.parametrize("wrap", [lambda z: (z, "text"), lambda z: {"scores": z}, lambda z: "text"])
def test_a_model_may_give_its_answer_in_a_tuple_a_dict_or_not_at_all(wrap: Any) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 3)

        def forward(self, x: tg.Tensor) -> Any:
            return wrap(self.layer(x))

    model, film = Model(), record(moons())
    model.layer(tg.ones(1, 2)).sum().backward()
    film.keep(model, 1.0)
    assert (film.moments[0].cells is None) == (wrap(0) == "text")
    assert "layer" in film.moments[0].outputs


def test_points_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN or infinity among these points"):
        record((tg.tensor([[0.0, float("nan")]]), tg.tensor([0])))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not even JSON"),
        ("[]", "'list'"),
        ('{"format": "x/2"}', "'x/2'"),
        ('{"format": "tinygrad_edu.film/1", "x": 1}', "damaged"),
    ],
)
def test_what_is_no_film(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Film.from_json(text)


def test_a_long_film_keeps_every_second_moment() -> None:
    film = record()
    model = nn.Linear(1, 1)
    model(tg.ones(1, 1)).sum().backward()
    for step in range(2000):
        film.keep(model, step)
    steps = [moment.step for moment in film.moments]
    assert 100 < len(steps) <= recording.MOMENTS
    assert set(np.diff(steps)) == {film.every} == {16}
    assert steps[0] == 0
    assert steps[-1] > 1980
    assert all(moment.loss == moment.step for moment in film.moments)


def test_a_large_model_is_kept_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "BUDGET", 400)
    film = record((tg.randn(300, 100), tg.zeros(300)))
    model = nn.Sequential(*(nn.Linear(100, 100) for _ in range(4)))
    (model(tg.randn(2, 100)) ** 2).sum().backward()
    for step in range(50):
        film.keep(model, step)
    assert film.every == 4  # 20 tensors a moment: 20 moments at most
    assert [moment.step for moment in film.moments] == list(range(0, 50, 4))
    kept = film.moments[0].weights["0.weight"]
    assert kept.numbers.data is None
    assert len(kept.numbers.sample.data) == 64
    assert sum(kept.histogram.counts) == 10_000
    assert sum(film.moments[0].outputs["0"].histogram.counts) == recording.SAMPLES * 100


def test_numbers_that_are_none() -> None:
    """A training that blows up is worth a look too."""
    film = record(moons())
    tg.manual_seed(0)
    model = network()
    with pytest.warns(UserWarning, match="no finite|became"):
        fit(model, moons(), loss=lambda p, y: p.sum() * math.nan, optimizer=optim.SGD(model.parameters()),
            callbacks=[film], progress=False)  # fmt: skip
    assert film.moments[0].loss == "nan"
    assert film.moments[0].gradients["0.weight"].histogram is None
    assert set(film.moments[-1].cells) == {-1}
    assert Film.from_json(film.to_json()).moments == film.moments


def test_training_goes_on() -> None:
    film = record(every=2)
    tg.manual_seed(0)
    model = network()
    for _ in range(2):
        fit(model, moons(), loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), lr=0.1), batch_size=50,
            callbacks=[film], progress=False)  # fmt: skip
    steps = [moment.step for moment in film.moments]
    assert steps == [*range(0, steps[-1], 2), steps[-1]]
    assert [bool(moment.gradients) for moment in film.moments] == [True] * (len(steps) - 1) + [False]
    assert film.moments[-1].epoch == 2


def test_convolutions_tuples_and_measures() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.lstm = nn.Conv2d(1, 3, 3), nn.LSTM(6, 2, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.lstm(self.conv(x).flatten(2))[0].sum(2)

    model = Both()
    film = record((tg.randn(4, 1, 4, 5), tg.zeros(4)))
    model(tg.randn(2, 1, 4, 5)).sum().backward()
    film.keep(model, tg.tensor(2.0), accuracy=0.5)
    (moment,) = film.moments
    assert moment.measures == {"accuracy": 0.5}
    assert moment.loss == moment.trend == 2.0
    assert moment.weights["conv.weight"].numbers.shape == [3, 9]
    assert film.layers[0].parameters["conv.weight"] == [3, 1, 3, 3]
    assert moment.outputs["lstm"].numbers.shape == [4, 6]
    assert moment.cells is None
    for kept, now in ((moment.weights, model.conv.weight), (moment.gradients, model.conv.weight.grad)):
        assert np.array(kept["conv.weight"].filters.data, np.float32).tolist() == now.reshape(-1).tolist()
    assert moment.weights["conv.bias"].filters is None
    assert moment.outputs["conv"].filters is None
    assert Film.from_json(film.to_json()).moments == film.moments


@pytest.mark.parametrize(
    ("shape", "kept"),
    [
        ((9, 4, 3, 3), [6, 3, 3]),
        ((9, 2, 7, 7), [3, 7, 7]),
        ((2, 1, 5, 5), [2, 5, 5]),
        ((8, 8, 1, 1), None),
        ((2, 3, 16, 16), None),
    ],
)
def test_some_filters_of_a_convolution_are_kept(shape: tuple, kept: Any) -> None:
    array = np.random.default_rng(0).normal(size=shape)
    filters = Kept.of_parameter(array).filters
    assert (filters and filters.shape) == kept
    if kept:
        assert np.reshape(filters.data, filters.shape).tolist() == array[: kept[0], 0].tolist()


def test_mistakes() -> None:
    model = nn.Linear(2, 1)
    film = record()
    with pytest.raises(ValueError, match=r"no parameter has a gradient: call keep after loss\.backward"):
        film.keep(model, 1.0)
    with pytest.raises(TypeError, match="a Module, and then the loss, not a Tensor"):
        film.keep(tg.tensor(1.0), model)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"shape \(2,\): take its mean"):
        film.keep(model, tg.ones(2))
    model(tg.ones(1, 2)).sum().backward()
    film.keep(model, 1.0)
    other = nn.Linear(3, 1)
    other(tg.ones(1, 3)).sum().backward()
    with pytest.raises(ValueError, match="another model"):
        film.keep(other, 1.0)
    for every in (0, -1, 2.5, True, "epoch"):
        with pytest.raises(ValueError, match="every must be a whole number"):
            record(every=every)  # type: ignore[arg-type]
    for samples in ([1, 2], tg.ones(3), (tg.ones(3),), data.DataLoader(moons())):
        with pytest.raises(TypeError, match="record takes samples as a pair"):
            record(samples)
    with pytest.raises(TypeError, match=r"a sample must be a pair \(x, y\); these have 3 parts"):
        record(data.TensorDataset(tg.ones(3), tg.ones(3), tg.ones(3)))
    with pytest.raises(ValueError, match="no samples"):
        record((tg.ones(0, 2), tg.ones(0)))


def test_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same film as on the CPU, of a model and samples that are elsewhere."""
    strict_cupy.install(monkeypatch)

    def filmed(device: str) -> Film:
        tg.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)).to(device)
        film = record(moons())
        fit(model, moons(), loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=1, callbacks=[film],
            progress=False)  # fmt: skip
        return film

    there, here = filmed("cuda"), filmed("cpu")
    for a, b in zip(there.moments, here.moments, strict=True):
        assert a.trend == pytest.approx(b.trend)
        for name in ("weights", "gradients", "outputs"):
            kept, same = getattr(a, name), getattr(b, name)
            assert kept.keys() == same.keys()
            for key in kept:
                assert kept[key].numbers.mean == pytest.approx(same[key].numbers.mean, rel=1e-3, abs=1e-6)
        assert np.allclose(a.cells, b.cells, atol=1)


# -- pictures ---------------------------------------------------------------------------------------------------------
def test_pictures_are_of_the_moment(tmp_path: Any) -> None:
    pytest.importorskip("matplotlib")
    film = record(moons())
    trained(film, validation=moons())
    figure = film.plot(moment=5, path=tmp_path / "film.png")
    assert (tmp_path / "film.png").read_bytes().startswith(b"\x89PNG")
    names = {ax.get_label(): ax for ax in figure.axes}
    assert {"loss", "measures", "plane", "weights 0", "gradients 1", "outputs 2"} <= names.keys()
    ends = {line.get_label(): line.get_ydata()[-1] for line in names["loss"].lines}
    assert ends["batch"] == film.moments[5].loss
    assert ends["smoothed"] == film.moments[5].trend
    (bars,) = names["gradients 0"].patches
    assert bars.get_data().values.tolist() == film.moments[5].gradients["0.weight"].histogram.counts
    (image,) = names["plane"].images
    assert image.get_array().reshape(-1).tolist() == [cell // 100 for cell in film.moments[5].cells]
    assert [ax.get_label() for ax in film.plot("weights").axes] == ["weights 0", "weights 1", "weights 2"]


def test_one_output_and_large_models_are_drawn() -> None:
    pytest.importorskip("matplotlib")
    film = record((moons().x, moons().y.float()))
    model = nn.Sequential(nn.Linear(2, 4), *(nn.Linear(4, 4) for _ in range(9)), nn.Linear(4, 1), nn.Flatten(0))
    fit(model, (moons().x, moons().y.float()), loss=nn.BCEWithLogitsLoss(), optimizer=optim.SGD(model.parameters(), lr=0.1),
        callbacks=[film], progress=False)  # fmt: skip
    names = [ax.get_label() for ax in film.plot().axes]
    assert names.count("plane") == 1
    assert sum(name.startswith("weights") for name in names) == 6
    assert "measures" not in names
    assert "gradients 0" not in names  # at its last moment, after the last step, there are none
    assert "gradients 0" in [ax.get_label() for ax in film.plot(moment=-2).axes]


def test_an_animation(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.animation import FFMpegWriter
    from PIL import Image

    film = record(moons())
    trained(film)
    path = film.save(tmp_path / "film.gif", "loss", "plane", frames=3, fps=4)
    with Image.open(path) as image:
        assert image.n_frames == 3
        assert image.info["duration"] == 250
    monkeypatch.setattr(FFMpegWriter, "isAvailable", lambda: False)
    with pytest.raises(FileNotFoundError, match="install the program ffmpeg"):
        film.save(tmp_path / "film.mp4")
    assert not (tmp_path / "film.mp4").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the program that stands for ffmpeg is a script")
def test_ffmpeg_gets_the_pixels_of_every_moment(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    from tinygrad_edu.see.film_picture import FilmPicture

    program = tmp_path / "ffmpeg"  # writes what it got, and how it was called, instead of a film
    program.write_text(
        f"#!{sys.executable}\nimport sys\n"
        "open(sys.argv[-1], 'wb').write(sys.stdin.buffer.read())\n"
        "open(sys.argv[-1] + '.txt', 'w').write(' '.join(sys.argv))\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    film = record(moons())
    trained(film)
    path = film.save(tmp_path / "film.mp4", "loss", "plane", frames=3, fps=4)
    last = len(film.moments) - 1
    expected = np.array(list(FilmPicture(film, ["loss", "plane"]).shots([0, round(last / 2), last])))
    height, width = expected.shape[1:3]
    called = (tmp_path / "film.mp4.txt").read_text()
    assert f"-s {width}x{height}" in called
    assert "-framerate 4" in called
    pixels = np.fromfile(path, np.uint8).reshape(3, height, width, 4)
    assert (pixels == expected).all()


def test_pictures_follow_the_style_of_matplotlib() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib import style
    from matplotlib.contour import QuadContourSet

    from tinygrad_edu.see.film_picture import FilmPicture

    film = record(moons())
    trained(film)
    with style.context("dark_background"):
        (shot,) = FilmPicture(film, ("loss", "plane")).shots([5])
        figure = film.plot("plane")
    (axes,) = figure.axes
    (line,) = (drawn for drawn in axes.collections if isinstance(drawn, QuadContourSet))
    assert line.get_edgecolor().tolist() == [[1, 1, 1, 1]]
    assert np.median(shot[..., :3]) < 60


def test_a_shot_is_the_whole_picture_of_its_moment() -> None:
    """An animation draws only what moves; drawing everything gives the same pixels."""
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from tinygrad_edu.see.film_picture import FilmPicture

    film = record(moons())
    trained(film)
    (shot,) = FilmPicture(film, ()).shots([5])
    picture = FilmPicture(film, ())
    canvas = FigureCanvasAgg(picture.figure)
    for moment in (0, 5):  # the first settles the layout
        picture.draw(moment)
        canvas.draw()
        picture.figure.set_layout_engine("none")
    whole = np.array(canvas.buffer_rgba()).astype(float)
    assert whole.std() > 10
    assert np.abs(shot - whole).mean() < 0.05  # where bars meet the axes


def test_what_cannot_be_drawn(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    film = record()
    for show in (film.plot, film.play, lambda: film.save("film.gif")):
        with pytest.raises(ValueError, match=r"nothing is on this film yet: pass it to fit\(callbacks=\[film\]\)"):
            show()
    trained(film, metrics=[])
    with pytest.raises(ValueError, match="no part 'boundary'; there are loss, measures, plane"):
        film.plot("boundary")
    with pytest.raises(ValueError, match=r"no plane: it needs record\(samples\) with points of the plane"):
        film.plot("plane")
    with pytest.raises(ValueError, match="no measures: none were given"):
        film.plot("measures")
    with pytest.raises(IndexError, match="no moment 1000; this film has"):
        film.plot(moment=1000)
    with pytest.raises(ValueError, match=r"save writes \.gif and \.mp4, not '\.html'"):
        film.save(tmp_path / "film.html")
    with pytest.raises(ValueError, match="frames must be a whole number, at least 1, not 0"):
        film.save(tmp_path / "film.gif", frames=0)
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"tinygrad-edu\[plot\]"):
        film.plot()


# -- the page -----------------------------------------------------------------------------------------------------------
def test_the_page_holds_the_film(tmp_path: Any) -> None:
    film = record(moons(), title="</script><b>")
    trained(film)
    player = film.play(tmp_path / "film.html")
    html = (tmp_path / "film.html").read_text("utf-8")
    assert html == player.html
    assert "</script><b>" not in html
    assert "{{" not in html.replace("${{", "")
    found = json.loads(html.partition('id="data">')[2].partition("</script>")[0])
    assert found["film"] == json.loads(film.to_json())
    assert "http" not in html.partition('id="data"')[0].replace("http-equiv", "")
    shown = player._repr_html_()
    assert shown.count("<img") == shown.count("<iframe") == 1
    assert "polyline" in player.still()


def test_a_page_in_the_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    film = record(moons())
    trained(film)
    film.play(tmp_path / "x.html", open=True)
    assert opened == [(tmp_path / "x.html").resolve().as_uri()]
