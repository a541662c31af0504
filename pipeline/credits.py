"""Who made the pictures: CREDITS.md and credits.csv for a workspace or a set of shards.

What strangers wrote is text there: it cannot become a link, HTML or a formula. The same pictures
give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from facegan.core.errors import NothingProducedError, WorkspaceError
from facegan.core.files import Workspace, write_bytes
from facegan.core.provenance import Origin, provenance
from facegan.core.shards import ShardIndex, open_index, read_facts
from pipeline.credits_text import Credit, as_csv, as_markdown, by_licence
from pipeline.sources.text import LONGEST, clean, showable

FILES = ("CREDITS.md", "credits.csv")


@dataclass(frozen=True, slots=True)
class CreditsReport:
    """What was written."""

    folder: Path
    images: int
    licences: tuple[tuple[str, int], ...]
    """By the sources' own words, and how many images, the commonest first."""
    unknown: int
    """Images whose licence nobody told."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "images": self.images,
            "unknown": self.unknown,
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
        WorkspaceError: there is no catalog, or the files cannot be written.
        ShardError: the shards cannot be read.
        NothingProducedError: there is no image to tell of.
    """
    found = list(of_shards(open_index(shards)) if shards else of_workspace(workspace, every))
    if not found:
        what = "images" if every else "images with kept faces"
        hint = 'facegan scrape "artist"' if every else "facegan crop, or facegan credits --all"
        raise NothingProducedError(f"no {what} in {workspace.root}", hint=hint)
    folder = out or shards or workspace.root
    write_bytes(folder / FILES[0], as_markdown(found).encode())
    write_bytes(folder / FILES[1], as_csv(found).encode())
    groups = by_licence(found)
    unknown = len(groups.pop("", ()))
    counts = ((licence, len(members)) for licence, members in groups.items())
    known = sorted(counts, key=lambda one: (-one[1], one[0]))
    return CreditsReport(folder, len(found), tuple(known), unknown)


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


def _credit(sha256: str, origins: Sequence[Origin]) -> Credit:
    if not origins:
        return Credit(sha256)
    first = origins[0]
    names = {field.name for field in fields(Credit)} & set(first.result.__dataclass_fields__)
    told = _cleaned({name: getattr(first.result, name) for name in names})
    others = dict.fromkeys(origin.result.url for origin in origins)
    others.pop(first.result.url)
    also = " ".join("%20".join(url.split()) for url in map(showable, others) if url)
    return replace(Credit(sha256, **told), fetched_at=first.fetched_at, also_found_at=also or None)


def _told(sha256: str, facts: Mapping[str, Any]) -> Credit:
    """What a shard tells of an image; of a folder's pictures that is the file's name."""
    origin = facts.get("origin")
    names = {field.name for field in fields(Credit)} - {"sha256"}
    told = _cleaned({name: origin.get(name) for name in names} if isinstance(origin, dict) else {})
    return Credit(sha256, **{"title": clean(facts.get("file"))} | told)


def _cleaned(values: Mapping[str, object]) -> dict[str, Any]:
    """Those that are text, as one line each; addresses are not cut."""
    texts = ((name, showable(value)) for name, value in values.items())
    lines = ((name, " ".join(text.split())) for name, text in texts if text)
    return {name: line if name.endswith("url") else line[:LONGEST] for name, line in lines}
