"""The model card: what a generator is, what it was made of, and what it should not be used for.

Markdown with the front matter that model hubs read. What comes from outside (queries, licences) is
escaped; what is not known is said to be unknown. No torch here.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facegan.card_text import FRONT_MATTER, ONNX_USE, PYTORCH_USE, RESPONSIBLE_USE, SAMPLE_USE
from facegan.config import TrainConfig
from facegan.core.config import Config, option_of
from facegan.core.counted import counted
from facegan.core.records import Tally
from facegan.runs import Run
from facegan.training_data import Counts, TrainingData

FILE_NAME = "README.md"
_LONGEST_CELL = 80
_MOST_ROWS = 20
"""Of one table of counts; the rest is summed up."""
UNTYPED = ("model", "latent_size", "log_every", "device")
"""Settings that are no option of `facegan train`, or no part of what it computes."""


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that the page says."""

    run: Run
    iteration: int
    nimg: int | None
    """Real images that training had seen; None where the checkpoint no longer tells."""
    average: bool
    parameters: int
    data: TrainingData
    scores: Sequence[Mapping[str, Any]]
    """Records of `scores.json` that were measured on this very generator."""
    sha256: str
    """Of `generator.safetensors`."""
    onnx_max_difference: float | None
    """From PyTorch; None where there is no ONNX file."""
    versions: Mapping[str, str]


def render(card: Card) -> str:
    """The page, as Markdown."""
    parts = (
        FRONT_MATTER,
        _what(card),
        _use(card),
        _training(card),
        _data(card.data),
        _licences(card.data),
        _scores(card),
        RESPONSIBLE_USE.format(images=f"{card.data.images:,}"),
        _reproduction(card),
    )
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _what(card: Card) -> str:
    model, name = card.run.config.model, card.run.folder.name
    kind = "average over training (EMA)" if card.average else "weights of the last iteration"
    px = model.image_size
    rows = {
        "network": "DCGAN generator: transposed convolutions, BatchNorm, ReLU, tanh",
        "input": f"{model.latent_size} numbers, each drawn from N(0, 1)",
        "output": f"{px} x {px} pixels, RGB, in [-1, 1]",
        "width": f"{model.width:g} (1 is the reference)",
        "parameters": f"{card.parameters:,}",
        "weights": kind,
        "iterations": f"{card.iteration:,}",
        "images seen": "unknown" if card.nimg is None else f"{card.nimg:,}",
    }
    return (
        f"# {_cell(name)}: a generator of {px} x {px} faces\n\n"
        "![A grid of samples of seed 0](grid.png)\n\n"
        "The generator of a generative adversarial network: it makes pictures of faces out of "
        f"random numbers. `facegan` trained it from nothing on {card.data.images:,} faces.\n\n"
        f"{_table(('what', ''), rows.items())}"
    )


def _use(card: Card) -> str:
    model = card.run.config.model
    values = {"latent_size": model.latent_size, "px": model.image_size}
    parts = ["## Use", SAMPLE_USE]
    if card.onnx_max_difference is not None:
        parts.append(ONNX_USE.format(difference=f"{card.onnx_max_difference:.1g}", **values))
    return "\n\n".join(part.strip("\n") for part in (*parts, PYTORCH_USE.format(**values)))


def _training(card: Card) -> str:
    rows = dict(_settings(card.run.config))
    text = f"## Training\n\n{_table(('setting', 'value'), rows.items())}"
    for change in card.run.overrides:
        changed = ", ".join(f"{key} {value}" for key, value in dict(change["changed"]).items())
        text += f"\nChanged from iteration {change['iteration']:,} on: {_cell(changed, 400)}.\n"
    return text


def _data(data: TrainingData) -> str:
    text = f"## Training data\n\nFaces trained on: {data.images:,}.\n"
    if data.held_out:
        text += f"Never shown to it, to score with: {counted(data.held_out, 'other face')}.\n"
    if data.gap:
        return f"{text}\nMore is not known here: {data.gap}.\n"
    if data.funnel is not None:
        there = data.funnel
        rows = {
            "search results": (there.results, there.results_tally),
            "images": (there.images, there.images_tally),
            "faces": (there.faces_tally.total, there.faces_tally),
        }
        lines = [(name, f"{count:,}", *_fates(tally)) for name, (count, tally) in rows.items()]
        lines.append(("faces in the shards", f"{there.shards:,}", "", "", ""))
        head = ("stage", "found", "kept", "rejected", "failed")
        text += f"\nHow they were gathered, in the whole workspace:\n\n{_table(head, lines)}"
    text += f"\nThe faces trained on, by source:\n\n{_counts('source', data.sources)}"
    return f"{text}\nBy search term:\n\n{_counts('query', data.queries)}"


def _licences(data: TrainingData) -> str:
    begin = "## Licences of the training images\n\n"
    if data.gap:
        return f"{begin}Unknown for all of them: {data.gap}.\n"
    drawn = data.sources.get("portraits", 0)
    rest = f"\n{drawn:,} of them are portraits that facegan drew: of nobody.\n" if drawn else ""
    rest += (
        f"\nThe words are the sources' own and were not checked. For {data.unknown_licences:,} "
        f"of {data.images:,} faces none is known: take those for somebody's copyright. "
        "Addresses, authors and attributions stand in the workspace's `catalog.db`, in the "
        "table `search_results`.\n"
    )
    return begin + _counts("licence", data.licences) + rest


def _scores(card: Card) -> str:
    if not card.scores:
        return (
            "## Scores\n\nNot measured: this generator has no score. `facegan score` measures one."
        )
    rows = [row for record in card.scores for row in _score_rows(record)]
    notes = {str(warning) for record in card.scores for warning in record.get("warnings", ())}
    head = (
        "measure", "value", "95 %", "real faces", "samples", "compared with", "features", "measured"
    )  # fmt: skip
    verdicts = [_verdict(record) for record in card.scores if record.get("verdict")]
    return (
        f"## Scores\n\n{''.join(verdicts)}{_table(head, rows)}\nScores compare only where measure, "
        "features, weights, number of samples and the images compared with are the same; a good "
        "one doesn't say that the faces are good.\n"
        + "".join(f"\n- {_cell(note, 300)}" for note in sorted(notes))
    )


def _verdict(record: Mapping[str, Any]) -> str:
    sentences = dict(record.get("diagnosis") or {}).get("sentences", ())
    told = " ".join(str(sentence) for sentence in sentences)
    sides = f"{_count(record.get('samples'))} samples beside {_beside(record)}"
    return f"Verdict: **{_cell(record['verdict'])}** ({_cell(sides, 300)}). {_cell(told, 1000)}\n\n"


def _beside(record: Mapping[str, Any]) -> str:
    """What the samples of a record were compared with."""
    real = record.get("sets", {}).get("real")
    if not real:
        return "no images"
    return f"{_count(real['images'])} images: {real['name']}, content {real['content'][:8]}…"


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "an unknown number of"


def _score_rows(record: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """A row a measure of a record of `scores.json`."""
    for measure in record.get("measures", ()):
        name = str(measure.get("features") or "")
        protocol = dict(record.get("protocols", {}).get(name) or {})
        sha256 = str(protocol.get("weights_sha256", ""))[:8]
        low, high = measure.get("low"), measure.get("high")
        yield (
            str(measure.get("label", "")),
            _number(measure.get("value")),
            f"{_number(low)} to {_number(high)}" if low is not None else "",
            _number(measure.get("real")),
            str(record.get("samples", "")),
            _beside(record),
            f"{name}, weights {sha256}…" if sha256 else name or "pixels",
            str(record.get("created_at", ""))[:10],
        )


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else ""


def _reproduction(card: Card) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in card.versions.items())
    rows = {
        "seed of training": card.run.config.seed,
        "selection of faces, SHA-256": f"`{_cell(card.data.selection)}`",
        "generator.safetensors, SHA-256": f"`{card.sha256}`",
        "training began": card.run.began or "unknown",
        "exported with": versions,
    }
    return (
        f"## Reproducing it\n\n{_table(('what', ''), rows.items(), escaped=True)}\n"
        "With the same faces in the workspace:\n\n"
        f"```sh\n{train_command(card.run.config)}\n```\n\n"
        "All settings stand in `config.json`.\n"
    )


def train_command(config: TrainConfig) -> str:
    """The command line of these settings; those at their default are left out.

    >>> train_command(TrainConfig(iters=3000, flip=False))
    'facegan train --iters 3000 --batch 16 --size 256 --no-flip'
    """
    words = ["--iters", str(config.iters), "--batch", str(config.batch)]
    words += ["--size", str(config.model.image_size)]
    for part in (config.model, config):
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            if option_of(field) in words or field.name in UNTYPED or value == field.default:
                continue
            words += _option(option_of(field), value)
    return shlex.join(("facegan", "train", *words))


def _option(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [name if value else name.replace("--", "--no-", 1)]
    return [name, str(value)]


def _settings(config: Config) -> Iterable[tuple[str, Any]]:
    """Option and value of every setting, the network's first."""
    for field in dataclasses.fields(config):  # type: ignore[arg-type]
        value = getattr(config, field.name)
        if isinstance(value, Config):
            yield from _settings(value)
        elif value != "":
            yield option_of(field), _value(value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _fates(tally: Tally) -> tuple[str, str, str]:
    """Kept, rejected and failed, the last two with their reasons."""

    def told(reasons: Mapping[str, int]) -> str:
        names = ", ".join(f"{name} {count:,}" for name, count in reasons.items())
        return f"{sum(reasons.values()):,} ({names})" if reasons else "0"

    return f"{tally.kept:,}", told(tally.rejected), told(tally.failed)


def _counts(name: str, counts: Counts) -> str:
    rows = [(answer, f"{count:,}") for answer, count in counts.items()]
    if rows[_MOST_ROWS:]:
        rest = sum(list(counts.values())[_MOST_ROWS:])
        rows[_MOST_ROWS:] = [(f"{len(counts) - _MOST_ROWS} others", f"{rest:,}")]
    return _table((name, "faces"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, escaped: bool = False) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in rows:
        cells = (str(cell) if escaped else _cell(str(cell), 300) for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(text: str, longest: int = _LONGEST_CELL) -> str:
    r"""Text from outside as part of a line: one line, nothing that Markdown or HTML would read.

    >>> _cell("a|b\n<img src=x>")
    'a\\|b &lt;img src=x&gt;'
    """
    plain = " ".join(text.split())
    plain = plain if len(plain) <= longest else plain[: longest - 1] + "…"
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\|*_\[\]#`])", r"\\\1", plain)
