"""Images and all that came from them -> gone, and remembered so that they do not come back.

First the catalog sets everything aside, in one transaction: from then on nothing of it is served
or fetched again. Then the files go, then the shards are packed anew. A kill in between leaves what
the next call of `forget`, of whatever target, takes up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from facegan.core.addresses import without_user
from facegan.core.catalog import Catalog
from facegan.core.errors import ConfigError, FaceganError, ShardError, WorkspaceError
from facegan.core.events import Listener, Note, silent
from facegan.core.files import Workspace
from facegan.core.forget_tables import URL
from facegan.core.lock import exclusive
from facegan.core.shards import INDEX_NAME, ShardIndex, open_index, read_facts
from facegan.core.taking_out import TakingOut
from pipeline.config import ShardConfig
from pipeline.forget_files import files_of, made_of_images, remove
from pipeline.forget_target import Target, target_of
from pipeline.pack import pack
from pipeline.sources.text import clean

STAGE = "forget"


@dataclass(frozen=True, slots=True)
class ForgetPlan:
    """What would go."""

    target: Target
    images: int
    faces: int
    """Kept ones, of these images."""
    addresses: int
    """Known ones that would not be fetched again."""
    staying: int
    """Images that stay, for another query has found them: this one's, and copies of what goes."""
    trained: tuple[str, ...]
    """Runs that were trained with them."""
    unknown: tuple[str, ...]
    """Runs of which that cannot be told: which faces they saw is not on record."""
    copies: int = 0
    """Of the images, those that show the same as one that was meant."""
    going: tuple[tuple[str, str | None], ...] = ()
    """These addresses, each with a title, as text for people."""
    also: tuple[str, ...] = ()
    """What else was made of images and goes."""

    @property
    def barred(self) -> int:
        """Addresses that would not be fetched again; one that was typed is, known or not."""
        return max(self.addresses, self.target.kind == URL)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        going = [{"url": url, "title": title} for url, title in self.going]
        return asdict(self) | {"barred": self.barred, "going": going}


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """What went."""

    plan: ForgetPlan
    removed: Mapping[str, int]
    """Files: images, faces, and those that were made of them, by what they are."""
    shards: str | None
    """packed anew, removed, or None where they held none of it."""
    shard_images: int
    """In the shards now."""

    @property
    def files(self) -> int:
        """All that were removed."""
        return sum(self.removed.values())

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        done = {"files": self.files, "removed": dict(self.removed), "shards": self.shards}
        return self.plan.as_dict() | done | {"shard_images": self.shard_images}


def plan_forget(
    text: str, workspace: Workspace, *, kind: str | None = None, every: bool = False
) -> ForgetPlan:
    """Find what would go.

    Args:
        text: an address, a host, a hash (or its beginning), or a query.
        workspace: where it is looked for.
        kind: which of them; None goes by the shape.
        every: of a query, also images that another query has found.

    Raises:
        ConfigError: it is of no such kind, or could be two things.
        WorkspaceError: there is no catalog, or it knows no such query or hash; or nothing of an
            address or a host that is one by its shape alone.
    """
    _refuse_nowhere(workspace)
    with TakingOut(workspace.catalog) as taking:
        return _plan(text, kind, every, workspace, taking)


def forget(
    text: str,
    workspace: Workspace,
    *,
    kind: str | None = None,
    every: bool = False,
    listener: Listener = silent,
) -> ForgetReport:
    """Take out what `plan_forget` finds, with its faces, and keep it from coming back.

    Args:
        text: as for `plan_forget`.
        workspace: what is changed.
        kind: as for `plan_forget`.
        every: as for `plan_forget`.
        listener: hears of the packing.

    Raises:
        ConfigError, WorkspaceError: as `plan_forget`; or another facegan is at work, or a file
            cannot be removed: the same call goes on from there.
    """
    _refuse_nowhere(workspace)
    with exclusive(workspace), TakingOut(workspace.catalog) as taking:
        plan = _plan(text, kind, every, workspace, taking)
        taking.take_out(plan.target.kind, plan.target.value)
        removed = Counter[str]()
        for path in files_of(workspace, taking.files()):
            is_face = path.is_relative_to(workspace.faces)
            removed["faces" if is_face else "images"] += remove(path)
        shards, count = _repack(workspace, taking, listener)
        if plan.addresses or taking.gone_images():
            for what, paths in made_of_images(workspace).items():
                removed[what] += sum(map(remove, paths))
        taking.finish()
    return ForgetReport(plan, +removed, shards, count)


def _refuse_nowhere(workspace: Workspace) -> None:
    if not workspace.catalog.exists():
        raise WorkspaceError(f"no catalog in {workspace.root}", hint='facegan scrape "artist"')


def _plan(
    text: str, kind: str | None, every: bool, workspace: Workspace, taking: TakingOut
) -> ForgetPlan:
    target = target_of(text, kind, taking)
    if every and target.kind != "query":
        raise ConfigError("--all is for a search term: of anything else all goes")
    found = taking.find(target.kind, target.value, every=every)
    trained, unknown = _runs(workspace, taking)
    goes = found.images or found.addresses or taking.gone_images()
    return ForgetPlan(
        target,
        found.images,
        found.kept_faces,
        found.addresses,
        found.staying,
        tuple(trained),
        tuple(unknown),
        found.copies,
        tuple((without_user(clean(url) or ""), clean(title)) for url, title in taking.going()),
        tuple(made_of_images(workspace)) if goes else (),
    )


def _runs(workspace: Workspace, taking: TakingOut) -> tuple[list[str], list[str]]:
    """Runs that have seen what is to go, and those of which that cannot be told."""
    with Catalog(workspace.catalog) as catalog:
        _note_selection(workspace, catalog)
        runs = [(str(run["name"]), str(run["selection"])) for run in reversed(catalog.runs())]
        unknown = [name for name, selection in runs if not catalog.knows_selection(selection)]
    seen = taking.trained_on()
    return [name for name, selection in runs if selection in seen], unknown


def _note_selection(workspace: Workspace, catalog: Catalog) -> None:
    """Put on record what the shards hold, where an earlier facegan has packed them."""
    index = _index(workspace)
    if index is None or catalog.knows_selection(index.selection):
        return
    try:
        members = [
            (member.sha256, str(facts.get("image_sha256") or ""), member.split)
            for member, facts in read_facts(index)
        ]
    except ShardError:
        return
    catalog.record_selection(index.selection, members)


def _index(workspace: Workspace) -> ShardIndex | None:
    try:
        return open_index(workspace.shards)
    except ShardError:
        return None


# the shards


def _repack(workspace: Workspace, taking: TakingOut, listener: Listener) -> tuple[str | None, int]:
    """Pack the shards without what has gone; shards that cannot be are removed.

    Returns:
        packed, removed, or None where nothing was to be done; images in the shards.
    """
    if not any(workspace.shards.glob("faces-*")):
        return None, 0
    index = _index(workspace)
    if index is not None and not _holds(index, taking):
        _remove_tars(workspace, {shard.file for shard in index.shards})
        return None, index.count
    if index is None or index.config.get("source") == "catalog":
        try:
            if _has_faces(workspace):
                return "packed", pack(workspace, _settings(index), listener=listener).count
        except FaceganError as error:
            listener(
                Note(STAGE, f"the shards cannot be packed anew: {error.message}", warning=True)
            )
    else:
        text = f"the shards of a folder held a face that was taken out: {workspace.shards}"
        listener(Note(STAGE, f"{text} is emptied", warning=True))
    _remove_shards(workspace)
    return "removed", 0


def _has_faces(workspace: Workspace) -> bool:
    with Catalog(workspace.catalog) as catalog:
        return bool(catalog.kept_crops())


def _holds(index: ShardIndex, taking: TakingOut) -> bool:
    """Whether the shards hold a face that has gone, or tell of its image."""
    crops, images = taking.gone_crops(), taking.gone_images()
    if not images or any(member.sha256 in crops for member in index.members):
        return bool(images)
    try:
        return any(str(facts.get("image_sha256")) in images for _, facts in read_facts(index))
    except ShardError:
        return True  # for all that can be told


def _settings(index: ShardIndex | None) -> ShardConfig:
    """Those that the shards were packed with."""
    wanted = index.config if index else {}
    given = {
        name: wanted[name]
        for name, kinds in (("max_bytes", int), ("hold_out", (int, float)))
        if isinstance(wanted.get(name), kinds)
    }
    config = ShardConfig(**given)
    return ShardConfig() if config.problems() else config


def _remove_shards(workspace: Workspace) -> None:
    """The index goes first: nobody finds tars without it."""
    remove(workspace.shards / INDEX_NAME)
    _remove_tars(workspace, set())
    with Catalog(workspace.catalog) as catalog:
        catalog.record_shards([], "")


def _remove_tars(workspace: Workspace, named: set[str]) -> None:
    """All but those that the index names: a kill leaves earlier ones."""
    for pattern in ("faces-*", ".faces-*"):
        for path in workspace.shards.glob(pattern):
            if path.name not in named:
                remove(path)
