"""How servers reserve their images: X-Robots-Tag and the TDM Reservation Protocol.

References:
    Google Search Central: Robots meta tag, data-nosnippet, and X-Robots-Tag specifications.
    DeviantArt: noai and noimageai, 2022. Microsoft and others: noml.
    W3C TDM Reservation Protocol Community Group: TDM Reservation Protocol (TDMRep), final report,
    2024. Deviation: a reservation counts wherever it stands, in the header or in the file.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import unquote

from urllib3 import HTTPHeaderDict

from facegan.core.records import Reason
from pipeline.connections import AGENT_TOKEN, Connections, target_of
from pipeline.host_files import HostFile
from pipeline.troubles import Trouble

PATH = "/.well-known/tdmrep.json"

RESERVING = frozenset({"noai", "noimageai", "noindex", "noimageindex", "noml", "none"})
VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
"""Directives with a value: what stands before their colon names no robot."""
TOKEN = re.compile(r"[\w.*/+-]+", re.ASCII)


def reservation(headers: HTTPHeaderDict) -> str | None:
    """The header and directive by which an answer is reserved, or None.

    >>> reservation(HTTPHeaderDict({"X-Robots-Tag": "otherbot: noindex"})) is None
    True
    >>> reservation(HTTPHeaderDict({"X-Robots-Tag": "max-snippet: 9, NoAI"}))
    'X-Robots-Tag: noai'
    """
    for line in headers.getlist("X-Robots-Tag"):
        if directive := _reserving(line):
            return f"X-Robots-Tag: {directive}"
    if any(line.strip() == "1" for line in headers.getlist("TDM-Reservation")):
        return "TDM-Reservation: 1"
    return None


def _reserving(line: str) -> str | None:
    """The first directive of one X-Robots-Tag that reserves the image from us."""
    ours = True
    for part in line.lower().split(","):
        name, colon, rest = (text.strip() for text in part.partition(":"))
        if colon and name in VALUED:
            continue
        directive = name
        if colon:
            if not TOKEN.fullmatch(name):
                continue  # part of a date
            # It holds for the directives that follow as well.
            ours, directive = name in {"*", AGENT_TOKEN}, rest
        if ours and directive in RESERVING:
            return directive
    return None


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of a host's tdmrep.json."""

    location: str
    """A path's beginning; * is any letters, $ at the end is the path's end."""
    reserved: bool

    def covers(self, path: str) -> bool:
        """Whether the rule is about `path`, which may have a query.

        >>> Rule("/a/*.jpg$", True).covers("/a/b/c.jpg"), Rule("/a", True).covers("/b/a")
        (True, False)
        """
        whole = self.location.endswith("$")
        first, *others = (unquote(part) for part in self.location.removesuffix("$").split("*"))
        path = unquote(path)
        if not path.startswith(first):
            return False
        at = len(first)
        for part in others[:-1] if whole else others:
            found = path.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        if not whole:
            return True
        if not others:
            return at == len(path)
        return path.endswith(others[-1]) and len(path) - len(others[-1]) >= at


class Reservations:
    """The tdmrep.json of every host that images lie on.

    Args:
        connections: open ones.
    """

    def __init__(self, connections: Connections) -> None:
        self._files = HostFile(connections, PATH, _read, needed=False)

    def check(self, url: str) -> None:
        """Nothing, where `url` is not reserved; the first rule that is about it decides.

        Raises:
            Trouble: it is reserved, or the host cannot be reached.
        """
        rules = self._files.of(url)
        if not rules:
            return
        path = target_of(url)[0].request_uri
        for rule in rules:
            if rule.covers(path):
                if rule.reserved:
                    detail = "tdmrep.json: tdm-reservation 1"
                    raise Trouble(Reason.OPTED_OUT, detail, final=True)
                return


def _read(_: str, body: bytes | None) -> tuple[Rule, ...]:
    """The rules in a tdmrep.json; none where it is something else."""
    try:
        found = json.loads(body or b"[]")
    except (ValueError, RecursionError):
        return ()
    entries = found if isinstance(found, list) else [found]
    return tuple(
        Rule(entry["location"], entry.get("tdm-reservation") in (1, "1"))
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("location"), str)
    )
