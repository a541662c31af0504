import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from facegan import plots
from facegan.core.errors import CheckpointError, WorkspaceError


def history(rows, seed=0):
    rng = np.random.default_rng(seed)
    names = ("d_loss_real", "d_loss_fake", "g_loss")
    table = {name: rng.exponential(1.0, rows) for name in names}
    shares = ("d_real", "d_fake", "accuracy_real", "accuracy_fake")
    table |= {name: rng.random(rows) for name in shares}
    table["iteration"] = np.arange(1.0, rows + 1)
    return table


def lines(figure):
    """The curves by their label: (x, y)."""
    (axes,) = figure.axes
    return {
        str(line.get_label()): line.get_data()
        for line in axes.get_lines()
        if not str(line.get_label()).startswith("_")
    }


LABELS = {
    "losses": ({"D on real", "D on fake", "G"}, "loss"),
    "losses-log1p": ({"D on real", "D on fake", "G"}, "log(1 + loss)"),
    "losses-average": ({"D on real", "D on fake", "G"}, "mean of 2 iterations"),
    "accuracy": ({"on real", "on fake"}, "%"),
    "outputs": ({"on real, D(x)", "on fake, D(G(z))"}, "probability"),
}


@pytest.mark.parametrize("name", plots.FIGURES)
def test_every_figure_has_title_axes_and_legend(name):
    figure = plots.FIGURES[name](history(100))
    (axes,) = figure.axes
    labels, ylabel = LABELS[name]
    assert axes.get_title(loc="left")
    assert axes.get_xlabel().startswith("iteration")
    assert ylabel in axes.get_ylabel()
    assert set(lines(figure)) == labels
    assert {text.get_text() for text in axes.get_legend().get_texts()} == labels


def test_iterations_have_thousands_separators():
    figure = plots.losses(history(50_000))
    assert figure.axes[0].xaxis.get_major_formatter()(20_000, None) == "20,000"


def test_short_histories_are_drawn_row_by_row():
    table = history(100)
    x, y = lines(plots.losses(table))["G"]
    assert np.array_equal(x, table["iteration"])
    assert np.array_equal(y, table["g_loss"])


def test_log1p_draws_the_logarithm_of_one_plus_the_loss():
    table = history(100)
    _, y = lines(plots.losses_log1p(table))["D on real"]
    assert np.allclose(y, np.log(1 + table["d_loss_real"]))


def test_average_draws_the_moving_average():
    table = history(100)
    _, y = lines(plots.losses_average(table, window=10))["D on fake"]
    wanted = [table["d_loss_fake"][max(0, i - 9) : i + 1].mean() for i in range(100)]
    assert np.allclose(y, wanted)


def test_accuracy_is_in_percent():
    table = history(100)
    _, y = lines(plots.accuracy(table, window=1))["on real"]
    assert np.allclose(y, 100 * table["accuracy_real"])


def test_outputs_are_the_discriminators_means():
    table = history(100)
    assert np.array_equal(lines(plots.outputs(table))["on fake, D(G(z))"][1], table["d_fake"])


def test_long_histories_are_drawn_as_means_within_lowest_to_highest():
    table = history(50_000)
    table["g_loss"][12_345] = 99.0
    figure = plots.losses(table)
    x, y = lines(figure)["G"]
    assert len(x) == len(y) == 1000
    assert np.allclose(y[:3], table["g_loss"][:150].reshape(3, 50).mean(axis=1))
    areas = [area.get_paths()[0].vertices[:, 1].max() for area in figure.axes[0].collections]
    assert max(areas) == 99.0  # a single peak stays visible
    assert "mean of 50 iterations" in figure.axes[0].get_xlabel()


def test_losses_that_are_not_finite_leave_a_gap(tmp_path):
    table = history(2500)
    table["g_loss"][100:110] = [np.nan, np.inf, -np.inf] * 3 + [np.nan]
    table["d_loss_real"][:] = np.nan
    assert len(plots.save_all(table, tmp_path)) == 5


def test_save_all_writes_readable_pngs_twice_the_same(tmp_path):
    table = history(60)
    paths = plots.save_all(table, tmp_path / "plots")
    assert [path.name for path in paths] == [f"{name}.png" for name in plots.FIGURES]
    before = [path.read_bytes() for path in paths]
    for data in before:
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.size == (1080, 576)
    plots.save_all(table, tmp_path / "plots")
    assert before == [path.read_bytes() for path in paths]
    assert len(list((tmp_path / "plots").iterdir())) == 5


def test_one_row_can_be_drawn(tmp_path):
    assert plots.save_all(history(1), tmp_path)


def test_an_empty_history_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="no iteration"):
        plots.save_all(history(0), tmp_path)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WorkspaceError):
        plots.save(plots.losses(history(3)), tmp_path / "file" / "a.png")


def test_log1p_is_odd_and_keeps_gaps():
    values = plots.log1p(np.array([0.0, 1.0, -1.0, np.inf, np.nan]))
    assert np.allclose(values, [0, np.log(2), -np.log(2), np.nan, np.nan], equal_nan=True)


def test_moving_average_leaves_out_what_is_not_finite():
    values = np.array([np.nan, 2.0, np.inf, 4.0, np.nan, np.nan])
    wanted = [np.nan, 2.0, 2.0, 4.0, 4.0, np.nan]
    assert np.array_equal(plots.moving_average(values, 2), wanted, equal_nan=True)


@settings(deadline=None)
@given(
    arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6)),
    st.integers(1, 80),
)
def test_moving_average_and_bins_stay_within_the_values(values, size):
    margin = 1e-9 * max(1.0, float(np.abs(values).max())) * len(values)
    lowest, mean, highest = plots.bins(values, size)
    assert len(lowest) == min(len(values), size)
    assert lowest.min() == values.min()
    assert highest.max() == values.max()
    assert (mean >= lowest - margin).all()
    assert (mean <= highest + margin).all()
    average = plots.moving_average(values, size)
    assert average.min() >= values.min() - margin
    assert average.max() <= values.max() + margin
    assert average[-1] == pytest.approx(values[-size:].mean(), abs=margin)


def test_no_pyplot_is_loaded():
    import subprocess
    import sys

    code = "import sys, facegan.plots; print('matplotlib.pyplot' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
