"""Measure the tables of docs/verdicts.md and write them there: python docs/make_verdicts.py.

A table stands between `<!-- NAME -->` and `<!-- end -->`; names after the command make those alone.
All of them take some minutes on one core.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.truth_table import (  # noqa: E402
    BOUNDARY,
    CASES,
    MIRRORED,
    SAMPLES,
    SEEDS,
    WORLDS,
    mirrored_verdicts,
    verdicts,
)

PAGE = ROOT / "docs/verdicts.md"
TABLE = re.compile(r"<!-- (?P<name>[a-z-]+) -->\n.*?<!-- end -->", re.DOTALL)
FEWER = range(10)
PAINTED = range(2)


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def right(found: Counter[str], wanted: str) -> str:
    """How many are right, and what the others are."""
    others = [f"{count} {name}" for name, count in found.most_common() if name != wanted]
    return f"{found[wanted]} of {found.total()}" + (f" ({', '.join(others)})" if others else "")


def all_of(found: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in found.most_common())


def simulated() -> Iterator[str]:
    """The cases at 300 training faces, on the seeds of the tests."""
    yield (
        f"300 training faces, 80 held out, {SAMPLES} samples, {len(SEEDS)} seeds; none of them "
        "served to choose a threshold."
    )
    yield ""
    rows = (
        (name, wanted, *(right(verdicts(world, fault), wanted) for world in WORLDS))
        for name, (wanted, fault) in CASES.items()
    )
    yield from table(("samples", "right verdict", *WORLDS), rows)


def sizes() -> Iterator[str]:
    """The cases with fewer or more faces, and without held-out ones; all structures together."""
    yield f"Right of {len(FEWER)} seeds for each of the {len(WORLDS)} structures together."
    yield ""

    def count(case: str, **given: int | bool) -> str:
        wanted, fault = CASES[case]
        found = sum((verdicts(world, fault, FEWER, **given) for world in WORLDS), Counter())
        return right(found, wanted)

    rows = (
        (case, count(case, faces=100), count(case, faces=600), count(case, held_out=False))
        for case in CASES
    )
    head = ("samples", "100 training faces", "600 training faces", "300, none held out")
    yield from table(head, rows)


def boundary() -> Iterator[str]:
    """What is said between the cases."""
    yield f"300 training faces, 80 held out, {len(FEWER)} seeds."
    yield ""
    rows = (
        (name, *(all_of(verdicts(world, fault, FEWER)) for world in WORLDS))
        for name, fault in BOUNDARY.items()
    )
    yield from table(("samples", *WORLDS), rows)


def mirrored() -> Iterator[str]:
    """Worlds of faces that are as common mirrored, with the training faces mirrored at hand."""
    yield f"300 training faces, 80 held out, {SAMPLES} samples, {len(SEEDS)} seeds."
    yield ""
    rows = (
        (name, wanted, *(right(mirrored_verdicts(world, fault), wanted) for world in WORLDS))
        for name, (wanted, fault) in MIRRORED.items()
    )
    yield from table(("samples", "right verdict", *WORLDS), rows)


def rendered() -> Iterator[str]:
    """Painted portraits, seen through the fixed feature."""
    from facegan.score.fixed import fixed_features
    from facegan.score.verdict import judge
    from tests.rendered_table import rendered_sets

    found: dict[str, Counter[str]] = {}
    wanted: dict[str, str] = {}
    for seed in PAINTED:
        sets = rendered_sets(seed=seed)
        train, held_out = fixed_features(sets.train), fixed_features(sets.held_out)
        mirror_images = fixed_features(sets.mirrored)
        for name, case in sets.cases.items():
            wanted[name] = case.verdict
            told = judge(train, fixed_features(case.images), held_out, mirrored=mirror_images)
            found.setdefault(name, Counter())[told.verdict] += 1
    yield f"{len(sets.train)} training faces, {len(sets.held_out)} held out, {len(PAINTED)} seeds."
    yield ""
    rows = ((name, wanted[name], right(found[name], wanted[name])) for name in wanted)
    yield from table(("samples", "right verdict", "right"), rows)


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "simulated": simulated,
    "sizes": sizes,
    "boundary": boundary,
    "mirrored": mirrored,
    "rendered": rendered,
}


def filled(page: str, tables: Mapping[str, str]) -> str:
    """The page with these tables in it."""

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- {name} -->\n{tables[name]}\n<!-- end -->" if name in tables else match[0]

    return TABLE.sub(fill, page)


if __name__ == "__main__":
    measured = {name: "\n".join(TABLES[name]()) for name in sys.argv[1:] or TABLES}
    PAGE.write_text(filled(PAGE.read_text(), measured))
