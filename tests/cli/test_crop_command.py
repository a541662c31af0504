"""`facegan crop` as a user runs it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import cli
from facegan.commands.crop import command
from facegan.core.catalog import Catalog
from facegan.core.errors import ConfigError, NothingProducedError
from facegan.core.records import Outcome, Reason, Status
from pipeline.config import SIZES, CropConfig
from pipeline.crop_plan import words_of
from pipeline.detect import ResolvedDetector
from tests.crop_helpers import drawn, fill

HAAR = ("--detector", "haar", "--size", "64", "--workers", "1")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    return Path(fill(tmp_path / "data", drawn(4)).root)


def call(root: Path, *args: str) -> int:
    words = ["crop", *args, "--workspace", str(root)]
    code = cli.facegan.main(words, standalone_mode=False, obj={})
    assert isinstance(code, int)
    return code


def result(captured: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(captured)["result"]
    return found


def test_a_call_tells_its_own_images_and_all_faces(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(root, *HAAR) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("images of this call: kept 4 in ")
    assert lines[0].endswith(", with haar")
    assert lines[1].startswith("faces in all: kept 4; ")
    assert call(root, *HAAR) == 0
    again = capsys.readouterr().out.splitlines()
    assert again[0].startswith("images of this call: nothing new in ")
    assert again[1:] == lines[1:]


def test_decisions_that_match_no_face_are_told(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(root, *HAAR)
    with Catalog(root / "catalog.db") as catalog:
        one, two = catalog.faces()[:2]
        for face in (one, two):
            catalog.review_face(face.id or 0, Status.KEPT)
        nothing = Outcome(Status.REJECTED, Reason.NO_FACE)
        known = CropConfig(size=64).config_hash("haar", None)
        catalog.record_faces(one.image_sha256, [], nothing, known)
    capsys.readouterr()
    call(root, *HAAR)
    told = "1 of 2 decisions by hand matches no face that is found now"
    assert told in capsys.readouterr().out.splitlines()
    call(root, *HAAR, "--json")
    found = result(capsys.readouterr().out)
    assert (found["strays"], found["decisions"]) == (1, 2)


def test_a_dry_run_tells_what_is_cut_anew(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(root, *HAAR)
    capsys.readouterr()
    assert call(root, *HAAR, "--size", "32", "--dry-run") == 0
    assert capsys.readouterr().out.splitlines() == [
        "would look for faces in 4 images with haar",
        "would cut 4 faces anew: size 64 -> 32",
    ]
    call(root, *HAAR, "--size", "32", "--dry-run", "--json")
    found = result(capsys.readouterr().out)
    assert found["cut_anew"] == [{"faces": 4, "changes": "size 64 -> 32"}]


def test_a_dry_run_tells_what_other_thresholds_keep(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(root, *HAAR)
    capsys.readouterr()
    assert call(root, *HAAR, "--min-sharpness", "1", "--dry-run") == 0
    assert capsys.readouterr().out.splitlines() == [
        "would look for faces in 0 images with haar",
        "4 faces are kept now; then: kept 0, rejected 4 (blurred 4)",
    ]
    with pytest.raises(NothingProducedError):
        call(root, *HAAR, "--min-sharpness", "1")


def test_a_dry_run_without_yunets_model_promises_nothing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "would look for faces in 4 images with yunet, if its model can be fetched"
    call(root, "--dry-run")
    assert capsys.readouterr().out == f"{line}; else with haar\n"
    call(root, "--dry-run", "--detector", "yunet")
    assert capsys.readouterr().out == f"{line}\n"


def test_a_sharpness_that_no_face_has_is_refused(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"--min-sharpness is 5\.0: 0 to 1 is allowed"):
        call(root, *HAAR, "--min-sharpness", "5")


def test_help_names_every_size(capsys: pytest.CaptureFixture[str]) -> None:
    cli.facegan.main(["crop", "-h"], standalone_mode=False, obj={})
    numbers = set(map(int, re.findall(r"\d+", capsys.readouterr().out)))
    assert numbers >= set(SIZES)


def test_the_words_that_go_on_are_understood_and_mean_the_same(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"a model")
    given = CropConfig(
        size=96, detector="yunet", model=tmp_path / "m.onnx", align=False, margin=0.25,
        max_upscale=2.0, max_pixels=1234567, min_face_px=70, faces="all",
        duplicates=-1, max_yaw=9.5,
    )  # fmt: skip
    words = words_of(given, ResolvedDetector("yunet", given.model, "abc"), hold_out=0.25)
    params = command.make_context("crop", list(words[1:])).params
    assert params["hold_out"] == 0.25
    names = {name: value for name, value in given.to_dict().items() if name != "workers"}
    assert {name: params[name] for name in names} == names | {"model": given.model}
