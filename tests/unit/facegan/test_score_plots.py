"""What stands on the page of a scoring, and that nothing on it is cut or covered."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text
from PIL import Image

from facegan import score_plots
from facegan.core.errors import WorkspaceError
from facegan.score.network import FeatureProtocol
from facegan.score.pairs import Pair
from facegan.score.report import LeftOut, Measure, Report, Side
from facegan.score_plots import save_scores_figure, scores_figure
from pipeline.portraits import portraits

ORANGE, GREEN = "#d55e00", "#009e73"
INCEPTION = FeatureProtocol("fid2015", "Inception", "ab", True, "tf1", "x", 2048, 1008)
FIXED = FeatureProtocol("fixed", "none", "", True, "box", "x", 300, 0)


@dataclass(frozen=True)
class Judged:
    """The part of a diagnosis that is shown."""

    verdict: str = "healthy"
    sentences: tuple[str, ...] = ("61 % of the samples lie among the training faces " * 3,) * 3
    cannot_tell: tuple[str, ...] = ("whether samples are nearer to the training faces",)


def inception(name="inception_score", count=5000, real=None, splits=10):
    values = list(np.linspace(2.1, 2.9, splits))
    details = {"per_split": values, "samples": count}
    label = "Inception Score" if count == 5000 else f"Inception Score of {count:,}"
    mean = float(np.mean(values))
    return Measure(name, label, mean, "high", 2.3, 2.7, real, "fid2015", details)


def neighbourhoods(features="fid2015"):
    values = {"precision": 0.61, "recall": 0.41, "density": 0.5, "coverage": 0.6}
    return [
        Measure(f"{name}_k{k}", f"{name}, k {k}", value - 0.1 * (k == 3), "high", features=features)
        for k in (3, 5)
        for name, value in values.items()
    ]


KID = Measure("kid", "KID x 1,000", 12.3, "low", 10.9, 13.8, features="fid2015")
PIXELS = (
    Measure("swd", "sliced Wasserstein x 1,000", 42.1, "low"),
    Measure("ms_ssim", "MS-SSIM of pairs", 0.312, "near real", 0.305, 0.319, 0.271),
    Measure("one_face", "share with one face", 0.874, "high", 0.84, 0.902, 0.982),
)
NO_NETWORK = LeftOut("Inception Score", "no feature network was asked for (--features)")
NO_REAL = LeftOut("distances to real images, copies and the verdict", "no real images")


def report(
    *measures, judged=None, real=True, held_out=True, left_out=(), warnings=(), name="00003-demo",
    protocols=(FIXED, INCEPTION),
):  # fmt: skip
    return Report(
        Side(name, 5000, "0"), Side("data/shards", 1200, "1") if real else None,
        Side("data/shards", 120, "2") if held_out else None, tuple(measures), tuple(left_out),
        judged, protocols, tuple(warnings), 12.0, 30.0,
    )  # fmt: skip


FULL = report(
    inception(), inception("inception_score_as_real", 1200, 3.02), KID, *neighbourhoods(), *PIXELS,
    judged=Judged("few distinct outputs"), warnings=("only 120 samples a split " * 10,),
)  # fmt: skip
NAME = "/a/folder/of $ome length_/\N{CJK UNIFIED IDEOGRAPH-984F}/" * 6
CASES = {
    "full": FULL,
    "no network": report(
        *neighbourhoods("fixed"), *PIXELS, judged=Judged(), left_out=[NO_NETWORK], held_out=False,
        protocols=(FIXED,),
    ),
    "no real images": report(
        inception(), PIXELS[1], left_out=[NO_REAL], real=False, held_out=False
    ),
    "pixels alone": report(PIXELS[1], left_out=[NO_NETWORK, NO_REAL], real=False, held_out=False),
    "nothing": report(real=False, held_out=False, protocols=()),
    "one split": report(inception(splits=1, real=2.5), judged=Judged("noisy", (), ())),
    "long": replace(
        FULL, samples=Side(NAME, 50_000, ""), real=Side(NAME, 9999, ""),
        held_out=Side(NAME, 999, ""), left_out=(LeftOut(NAME, NAME),) * 4, warnings=(NAME,) * 9,
        diagnosis=Judged("between-mode collapse", (NAME,) * 9, (NAME,)),
    ),
}  # fmt: skip


@cache
def some_pairs(ratios=(0.0, 0.4999, 0.999, 0.5, 0.3, 1.2, 13.0, 1.1), sizes=(64, 128)):
    images = [
        [portrait.image for portrait in portraits(2, seed, size_px=size)]
        for seed, size in enumerate(sizes)
    ]
    return tuple(
        Pair(
            images[0][place % 2], images[1][place % 2], 1.0, ratio,
            "nearest" if place < len(ratios) / 2 else "random", place, place,
        )
        for place, ratio in enumerate(ratios)
    )  # fmt: skip


def pairs_for(case):
    return some_pairs() if CASES[case].real else ()


def history(iterations=(1000, 2000, 20_000), protocol=INCEPTION):
    return [
        {
            "iteration": iteration,
            "measures": [
                {"name": "precision_k5", "value": iteration / 40_000, "features": protocol.name},
                {"name": "recall_k5", "value": iteration / 50_000, "features": protocol.name},
            ],
            "protocols": {protocol.name: protocol.as_dict(), "fixed": FIXED.as_dict()},
            "samples": 5000,
            "sets": {"real": {"name": "data/shards", "images": 1200, "content": "1"}},
        }
        for iteration in iterations
    ]


OTHERWISE = (
    {"raw": True},
    {"samples": 500},
    {"sets": {"real": {"name": "data/shards", "images": 1200, "content": "2"}}},
    {"sets": {"real": None}},
    {"sets": {}},
)
"""What makes a record one that compares with no other."""


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def panel(figure, title):
    return next(axes for axes in figure.axes if axes.get_title(loc="left") == title)


def texts(figure):
    return [text.get_text() for text in figure.texts]


def lines(axes):
    return {str(line.get_label()): line for line in axes.get_lines()}


@pytest.mark.parametrize("case", CASES)
def test_no_text_is_cut_or_covers_another(case, monkeypatch):
    drawn = []
    draw = Text.draw
    monkeypatch.setattr(Text, "draw", lambda text, to: (drawn.append(text), draw(text, to))[1])
    figure = scores_figure(CASES[case], pairs_for(case), history())
    figure.draw_without_rendering()
    page = figure.bbox
    texts = [text for text in drawn if text.get_text() and text.get_visible()]
    boxes = [(text.get_text(), text.get_window_extent().padded(-2)) for text in texts]
    assert len(boxes) >= 3
    for text, box in boxes:
        inside = page.x0 + 8 <= box.x0 and box.x1 <= page.x1 - 8
        assert inside, text
        assert page.y0 + 4 <= box.y0, text
        assert box.y1 <= page.y1 - 4, text
    covered = [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if one.overlaps(other)]
    assert covered == []


@pytest.mark.parametrize(
    ("case", "size", "wanted"),
    [
        ("full", (1600, 1100), ["Precision and recall", "Inception Score of the splits"]),
        ("no network", (1600, 1100), ["Precision and recall"]),
        ("no real images", (1600, 654), ["Inception Score of the splits"]),
        ("pixels alone", (1600, 404), []),
    ],
)
def test_a_page_has_panels_for_what_was_measured(case, size, wanted):
    figure = scores_figure(CASES[case], pairs_for(case))
    assert titles(figure) == wanted
    assert tuple(np.round(figure.bbox.size)) == size


def test_what_has_no_panel_is_told():
    shown = texts(scores_figure(CASES["no network"]))
    assert "Left out: Inception Score: no feature network was asked for (--features)." in shown
    assert "Verdict: healthy" in shown
    shown = texts(scores_figure(CASES["no real images"]))
    assert "No verdict" in shown
    assert "Left out: distances to real images, copies and the verdict: no real images." in shown


def test_pictures_of_all_sizes_have_equal_cells():
    figure = scores_figure(CASES["pixels alone"], some_pairs(sizes=(64, 256)))
    figure.draw_without_rendering()
    cells = [axes for axes in figure.axes if axes.get_images()]
    assert len(cells) == 16
    spans = {tuple(np.round(axes.get_window_extent().size).astype(int)) for axes in cells}
    assert spans == {(162, 162)}
    for above, below in zip(cells[::2], cells[1::2], strict=True):
        assert above.get_images()[0].get_array().shape == (64, 64, 3)
        assert below.get_images()[0].get_array().shape == (256, 256, 3)
        upper, lower = above.get_window_extent(), below.get_window_extent()
        assert upper.x0 == lower.x0
        assert upper.y0 > lower.y1


def test_pictures_that_are_not_square_keep_their_shape():
    tall = np.zeros((60, 30, 3), np.uint8)
    pair = replace(some_pairs()[0], sample=tall)
    figure = scores_figure(CASES["pixels alone"], [pair])
    figure.draw_without_rendering()
    assert figure.axes[0].get_window_extent().size == pytest.approx((81, 162))


def test_ratios_below_half_are_marked_in_colour_and_words():
    figure = scores_figure(CASES["pixels alone"], some_pairs())
    marked = ["0.00 < 0.5", "0.49 < 0.5", "0.30 < 0.5"]
    plain = ["0.50", "0.99", "1.20", "13.00", "1.10"]
    colours = {text.get_text(): to_hex(text.get_color()) for text in figure.texts}
    assert {colours[text] for text in marked} == {ORANGE}
    assert ORANGE not in {colours[text] for text in plain}
    frames = [to_hex(axes.spines["top"].get_edgecolor()) for axes in figure.axes[:16]]
    assert frames.count(ORANGE) == 6
    caption = "Orange: below 0.5, where copies lie; many new faces lie below 1."
    assert any(text.endswith(caption) for text in texts(figure))
    assert {"Most alike", "At random"} <= set(texts(figure))


def test_a_group_without_pairs_has_no_heading():
    alike = [pair for pair in some_pairs() if pair.kind == "nearest"]
    shown = texts(scores_figure(CASES["no network"], alike))
    assert "Most alike" in shown
    assert "At random" not in shown


def test_precision_stands_over_recall_on_a_plane_from_0_to_1():
    axes = panel(scores_figure(FULL), "Precision and recall")
    assert axes.get_xlim() == axes.get_ylim() == (0, 1)
    drawn = lines(axes)
    assert np.ravel(drawn["k = 3"].get_data()) == pytest.approx([0.31, 0.51])
    assert np.ravel(drawn["k = 5"].get_data()) == pytest.approx([0.41, 0.61])
    assert np.ravel(drawn["like the real ones"].get_data()) == pytest.approx([1, 1])
    assert "by iteration" not in drawn


def test_earlier_records_of_the_same_features_are_a_named_path():
    past = history((20_000, 1000, 10_000)) + history((5000,), FIXED)
    past += history((7000,), replace(INCEPTION, weights_sha256="cd"))
    past += [{"iteration": 3, "measures": [{"name": "inception_score", "value": 2.0}]}]
    past += [history((9000,))[0] | {"iteration": None}]
    past += [history((9000,))[0] | change for change in OTHERWISE]
    axes = panel(scores_figure(FULL, history=past), "Precision and recall")
    recall, precision = lines(axes)["by iteration"].get_data()
    assert list(recall) == pytest.approx([0.02, 0.2, 0.4])
    assert list(precision) == pytest.approx([0.025, 0.25, 0.5])
    assert {text.get_text() for text in axes.texts} == {"1,000", "10,000", "20,000"}


def test_earlier_records_of_raw_weights_are_the_path_of_raw_weights():
    raw = replace(FULL, samples=replace(FULL.samples, about={"raw": True}))
    past = [*history((1000,)), *(one | {"raw": True} for one in history((20_000,)))]
    axes = panel(scores_figure(raw, history=past), "Precision and recall")
    assert {text.get_text() for text in axes.texts} == {"20,000"}


def test_a_path_of_the_fixed_feature_holds_no_record_of_a_network():
    alone = CASES["no network"]
    past = [*history((1000,), FIXED), *history((2000,), INCEPTION)]
    axes = panel(scores_figure(alone, history=past), "Precision and recall")
    assert {text.get_text() for text in axes.texts} == {"1,000"}


def test_splits_have_their_mean_and_the_real_images_beside_them():
    axes = panel(scores_figure(FULL), "Inception Score of the splits")
    drawn = lines(axes)
    assert list(drawn["5,000 samples"].get_ydata()) == FULL.measures[0].details["per_split"]
    assert list(drawn["1,200 real"].get_ydata()) == [3.02, 3.02]
    assert to_hex(drawn["1,200 real"].get_color()) == GREEN
    means = [line.get_ydata()[0] for line in axes.get_lines() if len(line.get_ydata()) == 2]
    assert pytest.approx(FULL.measures[0].value) in means
    alone = lines(panel(scores_figure(CASES["one split"]), "Inception Score of the splits"))
    assert {"samples", "real images"} <= set(alone)


def test_numbers_have_intervals_and_the_real_images_value():
    shown = texts(scores_figure(FULL))
    for text in ("12.3", "10.9 to 13.8", "share with one face", "0.874", "0.84 to 0.902", "0.982"):
        assert text in shown


def test_the_file_is_a_png_and_twice_the_same(tmp_path):
    path = tmp_path / "scores.png"
    past = history()
    assert save_scores_figure(path, CASES["long"], some_pairs(), past) == path
    before = path.read_bytes()
    with Image.open(io.BytesIO(before)) as picture:
        assert picture.size == (1600, 1100)
    save_scores_figure(path, CASES["long"], some_pairs(), past)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WorkspaceError):
        save_scores_figure(tmp_path / "file" / "scores.png", CASES["nothing"])


def test_neither_pyplot_nor_torch_is_loaded():
    names = ["matplotlib.pyplot", "torch"]
    code = f"import sys, {score_plots.__name__}; print(any(n in sys.modules for n in {names}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
