"""`facegan review` as a user runs it."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import cli
from facegan.core.errors import ConfigError, FaceganError, MissingDependencyError, WorkspaceError
from facegan.core.files import Workspace
from tests.review_helpers import Page, fill_faces, kill_crop, result_of, reviewing


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fill_faces(tmp_path / "data", 10, pictures=1, size_px=64)
    return tmp_path / "data"


def call(root: Path, *args: str) -> int:
    words = ["review", *args, "--workspace", str(root)]
    code = cli.facegan.main(words, standalone_mode=False, obj={})
    assert isinstance(code, int)
    return code


def test_sitting_ends_at_ctrl_c_and_tells_what_changed(root: Path) -> None:
    with reviewing(root, "--json") as (address, said):
        assert address.startswith("http://127.0.0.1:")
        page = Page(address)
        kept = [face for face in page.faces() if face["status"] == "kept"]
        rejected = next(face for face in page.faces() if face["reason"] and face["sha256"])
        page.decide(kept[0]["id"], "rejected")
        page.decide(kept[1]["id"], "rejected")
        page.decide(kept[1]["id"], "rules")
        page.decide(rejected["id"], "kept")
        with pytest.raises(WorkspaceError, match="another facegan"):
            call(root, "--sheet")
    assert said[2] == 0, said
    changes = {"kept": 0, "rescued": 1, "rejected": 1, "taken_back": 0}
    assert result_of(said) == {"changes": changes}
    assert json.loads(said[0])["next"] == f"facegan shard --workspace {root}"


def test_sheets_are_written_and_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(root, "--sheet") == 0
    out = capsys.readouterr().out.splitlines()
    assert out == [
        f"7 kept faces: {root}/review/kept-001.png",
        f"2 rejected faces: {root}/review/rejected-001.png",
        "1 more was never cut: too_small 1",
        f"what each number is: {root}/review/faces.csv",
    ]
    assert (root / "review/kept-001.png").is_file()


def test_crop_that_was_stopped_goes_on_before_anything_is_packed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kill_crop(Workspace(root), 1, 2)
    following = f"facegan crop --margin 0.4 --workspace {root}"
    assert call(root, "--sheet", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["result"]["pending"], told["next"]) == (2, following)
    assert call(root, "--sheet") == 0
    assert "2 more are not judged yet: `facegan crop` was stopped" in capsys.readouterr().out
    with reviewing(root, "--json") as (address, said):
        page = Page(address)
        page.decide(page.faces()[2]["id"], "rejected")
    assert json.loads(said[0])["next"] == following


def test_taken_port_is_told(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port {port} cannot be had") as caught:
            call(root, "--no-open", "--port", str(port))
    assert "--port 0" in str(caught.value.hint)


def test_missing_package_is_named_with_what_installs_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "waitress", None)
    with pytest.raises(MissingDependencyError, match="waitress") as caught:
        call(root)
    assert "pip install 'facegan[review]'" in str(caught.value.hint)


@pytest.mark.parametrize("args", [(), ("--sheet",)])
def test_workspace_without_faces_is_refused(tmp_path: Path, args: tuple[str, ...]) -> None:
    with pytest.raises(FaceganError, match="no faces in") as caught:
        call(tmp_path, *args)
    assert caught.value.exit_code == 3
    assert str(caught.value.hint).startswith("facegan crop")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--out", "x"), "--out is for --sheet"),
        (("--sheet", "--port", "0"), "--port is for the page"),
        (("--sheet", "--no-open"), "--no-open is for the page"),
    ],
)
def test_option_of_the_other_way_is_refused(
    tmp_path: Path, args: tuple[str, ...], words: str
) -> None:
    with pytest.raises(click.UsageError, match=words):
        call(tmp_path, *args)


def test_help_tells_the_keys() -> None:
    told = CliRunner().invoke(cli.facegan, ["review", "-h"], obj={}).output
    assert "K keeps, R rejects" in told
