"""Who made the pictures: CREDITS.md and credits.csv for a workspace or a set of shards.

What strangers wrote is text there: it cannot become a link, HTML or a formula. The same pictures
give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from facegan.core.addresses import without_user
from facegan.core.errors import NothingProducedError, WorkspaceError
from facegan.core.files import Workspace, write_bytes
from facegan.core.provenance import Origin, provenance
from facegan.core.shards import ShardIndex, open_index, read_facts
from pipeline.credits_text import Credit, Groups, as_csv, as_markdown, grouped
from pipeline.sources.text import LONGEST, clean, showable

FILES = ("CREDITS.md", "credits.csv")
MARKS = (b"Made by `facegan credits`", b"sha256,title,creator,license,license_url,")
"""What each of them has near its beginning."""
HEAD_BYTES = 4096
DATE = len("2026-11-21")
PORTRAIT = re.compile(r"portrait:(\d{1,19})/(\d{1,19})\?")


@dataclass(frozen=True, slots=True)
class CreditsReport:
    """What was written."""

    folder: Path
    images: int
    licences: tuple[tuple[str, int], ...]
    """By the sources' own words, and how many images, the commonest first."""
    unknown: int
    """Images whose licence nobody told."""
    disagreeing: int
    """Images of which several licences were told."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "images": self.images,
            "unknown": self.unknown,
            "disagreeing": self.disagreeing,
            "licences": [{"license": name, "images": count} for name, count in self.licences],
            "files": [str(self.folder / name) for name in FILES],
        }


def write_credits(
    workspace: Workspace,
    *,
    shards: Path | None = None,
    out: Path | None = None,
    every: bool = False,
) -> CreditsReport:
    """Write both files.

    Args:
        workspace: whose images are told of.
        shards: a folder of shards, which are told of instead.
        out: folder for the files; None is the workspace's own, or the shards'.
        every: of a workspace, also images without a kept face.

    Raises:
        WorkspaceError: there is no catalog, or the files cannot be written, or others stand there.
        ShardError: the shards cannot be read.
        NothingProducedError: there is no image to tell of.
    """
    found = list(of_shards(open_index(shards)) if shards else of_workspace(workspace, every))
    if not found:
        raise _nothing(workspace, shards, every)
    folder = out or shards or workspace.root
    for path in (folder / name for name in FILES):
        if not is_ours(path):
            raise WorkspaceError(
                f"{path} is there already, and not made by `facegan credits`",
                hint="name another folder: --out DIR",
            )
    write_bytes(folder / FILES[0], as_markdown(found).encode())
    write_bytes(folder / FILES[1], as_csv(found).encode())
    return _report(folder, grouped(found))


def is_ours(path: Path) -> bool:
    """Whether `write_credits` has made a file of one of its names, or there is none."""
    try:
        with path.open("rb") as file:
            return dict(zip(FILES, MARKS, strict=True))[path.name] in file.read(HEAD_BYTES)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _nothing(workspace: Workspace, shards: Path | None, every: bool) -> NothingProducedError:
    if shards:
        return NothingProducedError(f"no images in {shards}", hint="name others: --shards DIR")
    what = "images" if every else "images with kept faces"
    hint = 'facegan scrape "artist"' if every else "facegan crop, or facegan credits --all"
    return NothingProducedError(f"no {what} in {workspace.root}", hint=hint)


def _report(folder: Path, groups: Groups) -> CreditsReport:
    counts = {licence: len(members) for licence, members in groups.known.items()}
    unknown = len(groups.unknown) + len(groups.from_a_folder)
    disagreeing = len(groups.disagreeing)
    known = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    images = sum(counts.values()) + unknown + disagreeing
    return CreditsReport(folder, images, tuple(known), unknown, disagreeing)


def of_workspace(workspace: Workspace, every: bool = False) -> Iterator[Credit]:
    """The credit of each image, by hash.

    Raises:
        WorkspaceError: there is no catalog.
    """
    if not workspace.catalog.exists():
        raise WorkspaceError(f"no images in {workspace.root}", hint='facegan scrape "artist"')
    for sha256, origins in provenance(workspace.catalog, every=every):
        yield _credit(sha256, origins)


def of_shards(index: ShardIndex) -> list[Credit]:
    """The credit of each image whose faces are in the shards, by hash.

    Raises:
        ShardError: the shards cannot be read.
    """
    found: dict[str, Credit] = {}
    for member, facts in read_facts(index):
        sha256 = clean(facts.get("image_sha256")) or member.sha256
        found.setdefault(sha256, _told(sha256, facts))
    return [found[sha256] for sha256 in sorted(found)]


def other_licenses(origins: Sequence[Origin]) -> str | None:
    """What else was told of an image's licence, where that differs from the first origin's."""
    found: dict[str, str] = {}
    for origin in origins:
        result = origin.result
        names = ("license", "source", "license_url")
        told = _cleaned({name: getattr(result, name) for name in names})
        if licence := told.get("license"):
            by = ", ".join(told[name] for name in names[1:] if name in told)
            found.setdefault(_same(licence), f"{licence} ({by})")
    return "; ".join(list(found.values())[1:]) or None


def _same(licence: str) -> str:
    """Alike for one licence in two spellings.

    >>> _same("CC BY 4.0") == _same("cc-by-4.0"), _same("CC BY") == _same("CC BY-SA")
    (True, False)
    """
    return re.sub(r"[\W_]", "", licence.casefold()) or licence


def _credit(sha256: str, origins: Sequence[Origin]) -> Credit:
    if not origins:
        return Credit(sha256)
    first = origins[0]
    told = _named(asdict(first.result))
    others = {without_user(origin.result.url): None for origin in origins[1:]}
    others.pop(without_user(first.result.url), None)
    also = " ".join("%20".join(url.split()) for url in map(showable, others) if url)
    return replace(
        Credit(sha256, **told),
        fetched_at=(first.fetched_at or "")[:DATE] or None,
        also_found_at=also or None,
        other_licenses=other_licenses(origins),
    )


def _told(sha256: str, facts: Mapping[str, Any]) -> Credit:
    """What a shard tells of an image; of a folder's pictures that is the file's name."""
    origin = facts.get("origin")
    if isinstance(origin, dict):
        return Credit(sha256, **_named(origin))
    file = clean(facts.get("file"))
    return Credit(sha256, title=file, source="folder" if file else None)


def _named(values: Mapping[str, object]) -> dict[str, Any]:
    """Those that are fields of a credit, for people."""
    names = {field.name for field in fields(Credit)} - {"sha256"}
    told = _cleaned({name: values.get(name) for name in names})
    portrait = PORTRAIT.match(told.get("url", ""))
    if portrait and told.get("source") == "portraits":  # whose title is what it shows, as JSON
        told["title"] = "drawn portrait {1} of seed {0}".format(*portrait.groups())
    return told


def _cleaned(values: Mapping[str, object]) -> dict[str, str]:
    """Those that are text, as one line each and without passwords; addresses are not cut."""
    texts = ((name, showable(value)) for name, value in values.items())
    lines = ((name, without_user(" ".join(text.split()))) for name, text in texts if text)
    return {name: line if name.endswith("url") else line[:LONGEST] for name, line in lines}
