from __future__ import annotations

import contextlib
import dataclasses
import re
import shlex
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import click
import pytest

import cli
from facegan.card import UNTYPED, Card, render, train_command
from facegan.config import ModelConfig, TrainConfig
from facegan.core.config import option_of
from facegan.core.files import Workspace
from facegan.core.shards import open_index
from facegan.runs import Run, data_identity
from facegan.training_data import NO_CATALOG, OTHER_FACES, OWN_FOLDER, UNKNOWN, training_data
from tests.export_helpers import LICENCES, MODEL, fill


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "data")
    fill(made)
    return made


def run_of(workspace: Workspace) -> Run:
    """A run on the workspace's shards, as far as the card looks at it."""
    config = TrainConfig(model=MODEL, iters=500, batch=4, flip=False)
    data = data_identity(open_index(workspace.shards))
    return Run(workspace.runs / "00001-32px", config, data, began="2026-01-02T03:04:05+00:00")


def card_of(workspace: Workspace) -> Card:
    run = run_of(workspace)
    return Card(
        run=run,
        iteration=500,
        nimg=2000,
        average=True,
        parameters=12_345,
        data=training_data(workspace, run),
        scores=(),
        sha256="ab" * 32,
        onnx_max_difference=3e-7,
        versions={"facegan": "0.1.0", "torch": "2.15.0"},
    )


def rows(page: str, heading: str) -> dict[str, str]:
    """First and second cell of the tables under a heading."""
    section = page.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (.+?) \| (.*?) \|", section, re.MULTILINE)
    return dict(cells)


def test_the_card_states_funnel_sources_and_queries(workspace: Workspace) -> None:
    page = render(card_of(workspace))
    assert "| search results | 6 | 5 | 1 (http\\_404 1) | 0 |" in page
    assert "| images | 5 | 5 | 0 | 0 |" in page
    assert "| faces in the shards | 5 |" in page
    data = rows(page, "Training data")
    assert (data["bing"], data["query 0"], data["query 1"]) == ("5", "3", "2")


def test_the_card_counts_licences_and_says_how_many_are_unknown(workspace: Workspace) -> None:
    card = card_of(workspace)
    licences = rows(render(card), "Licences of the training images")
    assert (licences["CC BY 4.0"], licences["CC0"], licences["unknown"]) == ("2", "1", "1")
    assert card.data.unknown_licences == 1
    assert "For 1 of 5 faces none is known" in render(card)
    assert sum(card.data.licences.values()) == len(LICENCES)


def test_words_from_outside_are_escaped(workspace: Workspace) -> None:
    page = render(card_of(workspace))
    assert "<b>" not in page
    assert "&lt;b&gt;\\|odd\\|&lt;/b&gt;" in page


def test_the_card_has_front_matter_with_an_open_licence(workspace: Workspace) -> None:
    page = render(card_of(workspace))
    assert page.startswith("---\n")
    assert "\nlicense: unknown\n" in page.split("---\n")[1]


def test_the_card_tells_what_the_generator_is(workspace: Workspace) -> None:
    page = render(card_of(workspace))
    assert "average over training (EMA)" in page
    assert "weights of the last iteration" in render(replace(card_of(workspace), average=False))
    for text in ("32 x 32", "12,345", "2,000", "--batch | 4", "--flip | no", "ab" * 32, "3e-07"):
        assert text in page, text
    unknown = render(replace(card_of(workspace), nimg=None, onnx_max_difference=None))
    assert "| images seen | unknown |" in unknown
    assert "onnxruntime.InferenceSession" not in unknown


def test_settings_that_changed_on_the_way_are_told(workspace: Workspace) -> None:
    card = card_of(workspace)
    change = {"iteration": 1500, "changed": {"--batch": 8}}
    page = render(replace(card, run=replace(card.run, overrides=(change,))))
    assert "Changed from iteration 1,500 on: --batch 8." in page


def test_faces_that_changed_since_training_are_still_known_by_their_shards(
    workspace: Workspace,
) -> None:
    run = run_of(workspace)
    with contextlib.closing(sqlite3.connect(workspace.catalog)) as db, db:
        db.execute("UPDATE faces SET status = 'rejected' WHERE id = 1")
    assert sum(training_data(workspace, run).licences.values()) == 5


def test_shards_that_went_away_leave_the_catalog(workspace: Workspace) -> None:
    run = run_of(workspace)
    for path in workspace.shards.glob("*.tar"):
        path.unlink()
    found = training_data(workspace, run)
    assert (sum(found.licences.values()), found.funnel) == (5, None)
    assert "By search term" in render(replace(card_of_run(run), data=found))


def card_of_run(run: Run) -> Card:
    return Card(
        run, 1, None, False, 1, training_data(Workspace(Path("none")), run), (), "", None, {}
    )


@pytest.mark.parametrize("shards", ["there", "deleted"])
def test_faces_held_out_are_not_counted_among_those_trained_on(tmp_path: Path, shards: str) -> None:
    workspace = Workspace(tmp_path)
    fill(workspace, held_out={0, 2})
    run = run_of(workspace)
    if shards == "deleted":
        shutil.rmtree(workspace.shards)
    found = training_data(workspace, run)
    assert (found.images, found.held_out, found.gap) == (3, 2, None)
    assert found.licences == {"<b>|odd|</b>": 1, "CC BY 4.0": 1, "unknown": 1}
    page = render(replace(card_of_run(run), data=found))
    assert "Faces trained on: 3." in page
    assert "Never shown to it, to score with: 2 other faces." in page


def test_other_faces_than_those_trained_on_are_not_passed_off_as_them(
    workspace: Workspace,
) -> None:
    run = replace(run_of(workspace), data={"selection": "other", "count": 9})
    found = training_data(workspace, run)
    assert (found.gap, found.images, found.unknown_licences) == (OTHER_FACES, 9, 9)
    page = render(replace(card_of(workspace), data=found))
    assert "Unknown for all of them: the workspace no longer holds" in page
    assert "CC BY" not in page


def test_a_folder_of_the_users_own_has_no_known_licences(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    fill(workspace, source="folder")
    assert training_data(workspace, run_of(workspace)).gap == OWN_FOLDER


def test_without_a_catalog_the_card_says_so(workspace: Workspace, tmp_path: Path) -> None:
    found = training_data(Workspace(tmp_path / "other"), run_of(workspace))
    assert (found.gap, found.licences) == (NO_CATALOG, {})
    page = render(replace(card_of(workspace), data=found))
    assert "the workspace has no catalog" in page
    assert UNKNOWN in page.lower()


def test_faces_without_a_search_result_count_as_unknown(workspace: Workspace) -> None:
    with contextlib.closing(sqlite3.connect(workspace.catalog)) as db, db:
        db.execute("UPDATE search_results SET image_sha256 = NULL")
    found = training_data(workspace, run_of(workspace))
    assert found.licences == found.sources == {UNKNOWN: 5}


def test_scores_are_shown_with_their_protocol_and_else_called_not_measured(
    workspace: Workspace,
) -> None:
    card = card_of(workspace)
    assert "Not measured" in render(card)
    record = {
        "measures": [
            {"label": "KID x 1,000", "value": 12.345, "low": 11.0, "high": 13.5, "real": None,
             "features": "fid2015"},
            {"label": "MS-SSIM of pairs", "value": 0.68, "low": None, "high": None, "real": 0.61,
             "features": ""},
        ],
        "samples": 5000, "protocols": {"fid2015": {"weights_sha256": "c" * 64}},
        "verdict": "healthy", "diagnosis": {"sentences": ["Nothing is wrong."]},
        "sets": {"real": {"name": "training faces", "images": 1200, "content": "ab" * 32}},
        "warnings": ["few samples"], "created_at": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    page = render(replace(card, scores=(record,)))
    assert "Not measured" not in page
    faces = "1,200 images: training faces, content abababab…"
    weights = "fid2015, weights cccccccc…"
    assert f"| KID x 1,000 | 12.35 | 11 to 13.5 |  | 5000 | {faces} | {weights}" in page
    assert f"| MS-SSIM of pairs | 0.68 |  | 0.61 | 5000 | {faces} | pixels | 2026-01-02 |" in page
    assert f"Verdict: **healthy** (5,000 samples beside {faces}). Nothing is wrong." in page
    assert "- few samples" in page


def test_scores_beside_other_images_or_of_other_numbers_are_told_apart(
    workspace: Workspace,
) -> None:
    measure = {"label": "FID", "value": 9.5, "features": "fid2015"}
    other = {"name": "a|<b>", "images": 40, "content": "cd" * 32}
    records = [
        {"measures": [measure], "samples": 5000, "sets": {"real": other}, "verdict": "noisy"},
        {"measures": [measure], "samples": 500, "sets": {"real": None}, "verdict": None},
    ]
    page = render(replace(card_of(workspace), scores=records))
    named = "40 images: a\\|&lt;b&gt;, content cdcdcdcd…"
    assert f"| FID | 9.5 |  |  | 5000 | {named} | fid2015 |" in page
    assert "| FID | 9.5 |  |  | 500 | no images | fid2015 |" in page
    assert f"Verdict: **noisy** (5,000 samples beside {named})." in page


def test_long_tables_are_summed_up(workspace: Workspace) -> None:
    card = card_of(workspace)
    many = {f"query {i:02d}": 2 for i in range(30)}
    page = render(replace(card, data=replace(card.data, queries=many)))
    assert rows(page, "Training data")["10 others"] == "20"


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(),
        TrainConfig(iters=7, batch=3, flip=False, jitter=0.0, learning_rate=2e-4, name="a.b"),
        TrainConfig(model=ModelConfig(image_size=64, width=0.5), seed=9, keep_checkpoints=7),
        TrainConfig(ema_kimg=0.0, deterministic=True, precision="fp32", engine="eager"),
    ],
)
def test_the_command_of_the_settings_parses_to_them(config: TrainConfig) -> None:
    words = shlex.split(train_command(config))
    assert words[:2] == ["facegan", "train"]
    root = click.Context(cli.facegan, info_name="facegan")
    command = cli.facegan.get_command(root, "train")
    assert command is not None
    known = {name for parameter in command.params for name in parameter.opts}
    fields = [field for field in dataclasses.fields(config) if field.name not in UNTYPED]
    assert [option_of(field) for field in fields if option_of(field) not in known] == []
    given = command.make_context("train", words[2:], parent=root).params
    stored = config.to_dict()
    model = stored.pop("model")
    assert (given["size"], given["width"]) == (model["image_size"], model["width"])
    for name in given.keys() & stored.keys():
        assert given[name] == stored[name], name


def test_the_python_of_the_card_is_python(workspace: Workspace) -> None:
    blocks = re.findall(r"```python\n(.*?)```", render(card_of(workspace)), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        compile(block, "README.md", "exec")
