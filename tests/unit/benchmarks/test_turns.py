"""What benchmarks share: options, turns, processes, and the end."""

from __future__ import annotations

import json
import os
import sys

import pytest

from benchmarks import result, turns


def parsed(monkeypatch, *words, programs=True):
    monkeypatch.setattr(sys, "argv", ["benchmark", *words])
    parser = turns.command_line("What it measures.")
    if programs:
        turns.add_programs(parser)
    turns.add_turns(parser, quick="few")
    return turns.parsed(parser)


def test_every_round_begins_with_another_contender():
    assert [name for _, name in turns.rounds("abc", 4)] == list("abcbcacababc")
    assert [number for number, _ in turns.rounds("ab", 2)] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("words", "repeats", "dry"),
    [
        ((), 3, False),
        (("--repeats", "5"), 5, False),
        (("--repeats", "5", "--dry"), 5, True),
        (("--repeats", "5", "--quick"), 1, True),
        (("--only", "a", "b"), 3, True),
    ],
)
def test_what_is_quick_or_not_all_writes_no_file(monkeypatch, words, repeats, dry):
    options = parsed(monkeypatch, *words)
    assert (options.repeats, options.dry) == (repeats, dry)


def test_a_benchmark_without_programs_has_no_option_only(monkeypatch):
    assert not parsed(monkeypatch, programs=False).dry
    with pytest.raises(SystemExit):
        parsed(monkeypatch, "--only", "a", programs=False)


def test_a_call_in_its_own_process_gives_what_it_returns():
    assert turns.in_own_process(divmod, 7, 2) == (3, 1)
    assert turns.in_own_process(os.getenv, "PATH") == os.environ["PATH"]
    assert turns.in_own_process(os.getpid) != os.getpid()


def test_figures_are_told_and_written_unless_it_is_dry(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(result, "RESULTS", tmp_path)
    figures = {"longer_name": 0.125, "b": 1e-7}
    result.report("x", figures, {"b": ("<", 1)}, dry=True)
    assert capsys.readouterr().out == "longer_name 0.125\nb           1e-07\n"
    assert list(tmp_path.iterdir()) == []
    result.report("x", figures, {"b": ("<", 1)}, dry=False, packages=(), others={"peer": "2"})
    assert capsys.readouterr().out.endswith(f"{tmp_path / 'x.json'}\n")
    written = json.loads((tmp_path / "x.json").read_text())
    assert (written["figures"], written["targets"]) == (figures, {"b": ["<", 1]})
    assert written["versions"]["peer"] == "2"
