"""What the catalog knows of everything that was left out: why, its file, where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from facegan.core.addresses import without_user
from facegan.core.forget_tables import ForgetTables
from facegan.core.records import Reason, Status

KINDS = ("result", "image", "face")
FILE = "file:///"

_ORIGIN = (
    "(SELECT url FROM led_to JOIN search_results ON id = result"
    " WHERE led_to.image_sha256 = {} ORDER BY license IS NULL, rank, id LIMIT 1)"
)
_LEFT_OUT = (
    f"status IN ('{Status.REJECTED}', '{Status.FAILED}')"
    f" AND coalesce(reason, '') NOT IN ('{Reason.FORGOTTEN}', '{Reason.STOPPED}')"
    " AND (:reason IS NULL OR reason = :reason)"
)
_DETAIL = "(SELECT detail FROM outcomes WHERE stage = '{}' AND item = {})"
_SELECT = {
    "result": (
        f"SELECT status, reason, {_DETAIL.format('scrape', 'url')} AS detail,"  # noqa: S608
        " (SELECT path FROM images WHERE sha256 = image_sha256) AS file, url AS origin"
        f" FROM search_results WHERE {_LEFT_OUT}"
    ),
    "image": (
        f"SELECT status, reason, {_DETAIL.format('crop', 'sha256')} AS detail,"  # noqa: S608
        f" path AS file, {_ORIGIN.format('sha256')} AS origin FROM images WHERE {_LEFT_OUT}"
    ),
    "face": (
        "SELECT faces.status, faces.reason, faces.detail,"  # noqa: S608
        " coalesce(faces.path, images.path) AS file,"
        f" {_ORIGIN.format('images.sha256')} AS origin"
        f" FROM (SELECT * FROM faces WHERE {_LEFT_OUT}) AS faces"
        " JOIN images ON images.sha256 = image_sha256"
    ),
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One result, image or face that is not used."""

    kind: str
    """One of KINDS."""
    status: str
    """rejected, or failed: tried again by the next call."""
    reason: str
    detail: str | None
    file: str | None
    """In the workspace: the crop, of what has none the image, of a result that led to none None."""
    origin: str | None
    """The address that it came from; of a file that was on this machine its path."""


class LeftOutTables(ForgetTables):
    """What the catalog knows of what was left out."""

    def left_out(self, reason: Reason | None = None) -> Iterator[LeftOut]:
        """Results, then images, then faces; of each kind in the order of reasons and files.

        Not among them: what was forgotten, and results that wait because Ctrl-C came before them.

        Args:
            reason: only what was left out for this reason.
        """
        for kind in KINDS:
            rows = self._db.all(
                f"SELECT * FROM ({_SELECT[kind]}) ORDER BY reason, file, origin, detail",  # noqa: S608
                {"reason": reason},
            )
            for row in rows:
                origin = row["origin"] and _plain(row["origin"])
                facts = (row["status"], row["reason"] or "", row["detail"], row["file"])
                yield LeftOut(kind, *facts, origin)


def _plain(url: str) -> str:
    """An address without a name and password, a `file://` address as the path.

    >>> _plain("file:///a%20b.jpg"), _plain("https://me:word@example.org/a.jpg")
    ('/a b.jpg', 'https://example.org/a.jpg')
    """
    if url.startswith(FILE):
        return unquote(url.removeprefix(FILE.removesuffix("/")))
    return without_user(url)
