from __future__ import annotations

import numpy as np
import pytest

from facegan.core.errors import CheckpointError, TrainingDivergedError
from facegan.history import COLUMNS, FIGURES, History, read_history


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.csv"


def begin(path, iteration=0):
    return History(path, iteration=iteration, batch=16)


def row(value):
    return np.full(7, value, np.float32) / np.float32(3)


def fill(history, values):
    history.append(np.stack([row(value) for value in values]), [value / 2 for value in values])


def test_rows_come_back_exactly(path):
    history = begin(path)
    fill(history, [1, 2, 3])
    fill(history, [4])
    read = read_history(path)
    assert tuple(read) == COLUMNS
    assert read["iteration"].tolist() == [1, 2, 3, 4]
    assert read["nimg"].tolist() == [16, 32, 48, 64]
    assert read["seconds"].tolist() == [0.5, 1, 1.5, 2]
    for name in FIGURES:
        exact = np.array([row(value)[0] for value in (1, 2, 3, 4)])
        np.testing.assert_array_equal(read[name].astype(np.float32), exact)


def test_later_rows_go_when_a_run_is_taken_up(path):
    fill(begin(path), [1, 2, 3, 4])
    fill(begin(path, iteration=2), [30])
    read = read_history(path)
    assert read["iteration"].tolist() == [1, 2, 3]
    assert read["g_loss"][-1] == pytest.approx(10)


def test_a_line_cut_short_by_a_kill_is_left_out(path):
    fill(begin(path), [1, 2, 3])
    path.write_bytes(path.read_bytes()[:-5])
    assert read_history(path)["iteration"].tolist() == [1, 2]
    fill(begin(path, iteration=2), [3])
    assert read_history(path)["iteration"].tolist() == [1, 2, 3]


def test_figures_that_are_not_finite_end_training_after_they_are_written(path):
    rows = np.stack([row(1), row(1)])
    rows[1, 2] = np.nan
    with pytest.raises(TrainingDivergedError, match="at iteration 2: g_loss is nan") as caught:
        begin(path).append(rows, [0.0, 0.0])
    assert caught.value.exit_code == 6
    assert "--learning-rate" in caught.value.hint
    assert np.isnan(read_history(path)["g_loss"][1])


def test_a_missing_history_names_the_command(tmp_path):
    with pytest.raises(CheckpointError, match="no history in") as caught:
        read_history(tmp_path / "history.csv")
    assert caught.value.hint == "facegan train"


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", ",".join(COLUMNS) + "\n1,2,three\n"])
def test_another_file_is_no_history(path, text):
    path.write_text(text)
    with pytest.raises(CheckpointError, match="is not a training history"):
        read_history(path)


def test_a_damaged_history_does_not_keep_a_run_from_going_on(path):
    path.write_bytes(b"\0" * 500)
    fill(begin(path, iteration=7), [8])
    assert read_history(path)["iteration"].tolist() == [8]


def damaged_at_three(path):
    fill(begin(path), [1, 2])
    fill(begin(path, iteration=2), [3, 4])
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = b"\0" * len(lines[3][:-1]) + b"\n"
    path.write_bytes(b"".join(lines))
    return path.read_bytes()


def test_one_damaged_line_leaves_the_rows_before_it_and_the_damaged_file(path):
    damaged = damaged_at_three(path)
    notes = []
    history = History(path, iteration=4, batch=16, listener=notes.append)
    fill(history, [5])
    assert read_history(path)["iteration"].tolist() == [1, 2, 5]
    assert path.with_name("history.csv.broken").read_bytes() == damaged
    (note,) = notes
    assert note.warning
    assert "line 4" in note.text
    assert "history.csv.broken" in note.text


def test_damage_in_rows_that_go_anyway_is_no_matter(path):
    damaged_at_three(path)
    notes = []
    History(path, iteration=2, batch=16, listener=notes.append)
    assert notes == []
    assert not path.with_name("history.csv.broken").exists()
    assert read_history(path)["iteration"].tolist() == [1, 2]
