"""ScrapeConfig: what to look for, how much of it, and what a download must keep to.

CropConfig and ShardConfig stand in crop_config.py.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from facegan.core.errors import ConfigError
from facegan.core.hashing import config_hash
from pipeline.sources import SOURCES

MIB = 1024 * 1024

# option -> (lowest, highest); the field has the same name with underscores
RANGES: dict[str, tuple[float, float]] = {
    "--limit": (1, 10_000_000),
    "--seed": (0, 2**63 - 1),
    "--size-px": (32, 4096),
    "--workers": (1, 256),
    "--timeout-s": (0.1, 600),
    "--deadline-s": (0.1, 3600),
    "--retries": (0, 20),
    "--max-bytes": (1, 1024 * MIB),
    "--max-pixels": (1, 1_000_000_000),
    "--min-size-px": (1, 100_000),
}


@dataclass(frozen=True, slots=True)
class ScrapeConfig:
    """One call of `facegan scrape`."""

    query: str
    """What to search for; a name for what is gathered with the sources folder and portraits."""
    limit: int = 1000
    """Images to keep for the query, over all calls."""
    source: str = "bing"
    """bing, folder or portraits."""
    base_url: str | None = None
    """Address of another server that answers as the source does; None is the source's own."""
    allow_hosts: tuple[str, ...] = ()
    """HOST or HOST:PORT each: one's own servers, which may have private addresses."""
    folder: Path | None = None
    """The source folder's directory."""
    seed: int = 0
    """The source portraits': another seed, other people."""
    size_px: int = 384
    """Side of the portraits that the source portraits draws, in pixels."""
    only_faces: bool = True
    """Ask the search for faces alone."""
    only_photos: bool = True
    """Ask the search for photographs alone."""
    market: str = "en-US"
    """Language and country to search in; sent as Accept-Language."""
    contact: str | None = None
    """Address or page in the User-Agent under which a server's owner can complain."""
    workers: int = 16
    """Downloads at the same time."""
    timeout_s: float = 10.0
    """Wait for a connection, and for each piece of an answer."""
    deadline_s: float = 60.0
    """Time for one image with its redirects, retries and waits, and for one result page."""
    retries: int = 2
    """Further tries within a call where a server fails or asks to wait."""
    max_bytes: int = 20 * MIB
    """Of one file, also after decompression."""
    max_pixels: int = 100_000_000
    """Width times height, judged from the header."""
    min_size_px: int = 32
    """Of the shorter side."""

    def problems(self) -> list[str]:
        """One sentence for each setting that cannot be."""
        found = [
            sentence
            for option, (low, high) in RANGES.items()
            if (sentence := _range_problem(option, getattr(self, _field(option)), low, high))
        ]
        if not self.query.strip():
            found.append("the search term is empty")
        if not _is_text(self.query):
            found.append(f"the search term is {self.query!r}: text in UTF-8 is allowed")
        return found + self._source_problems() + self._address_problems()

    def validate(self) -> Self:
        """This config, when it can be.

        Raises:
            ConfigError: names every option whose value cannot be, and what is allowed.
        """
        if found := self.problems():
            raise ConfigError.of(found)
        return self

    def config_hash(self) -> str:
        """16 hexadecimal digits over what decides whether an address is kept or rejected."""
        deciding = {
            "allow_hosts": sorted(host.lower() for host in self.allow_hosts),
            "folder": self.folder and self.folder.absolute(),
            "max_bytes": self.max_bytes,
            "max_pixels": self.max_pixels,
            "min_size_px": self.min_size_px,
        }
        return config_hash(deciding)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = dataclasses.asdict(self)
        return values | {"folder": None if self.folder is None else str(self.folder)}

    def _source_problems(self) -> list[str]:
        if self.source not in SOURCES:
            near = difflib.get_close_matches(self.source, SOURCES, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            return [f"--source is {self.source!r}: one of {', '.join(SOURCES)} is allowed{hint}"]
        if self.source != "folder":
            return []
        if self.folder is None:
            return ["--source folder needs the directory to read: --folder DIR"]
        if not self.folder.is_dir():
            return [f"--folder is {str(self.folder)!r}: there is no such directory"]
        return []

    def _address_problems(self) -> list[str]:
        found = []
        if self.base_url is not None and not _is_web_address(self.base_url):
            found.append(
                f"--base-url is {self.base_url!r}: an http or https address is allowed, such as"
                " http://127.0.0.1:8000"
            )
        found += [
            f"--allow-host is {host!r}: HOST or HOST:PORT is allowed, without a scheme or a path"
            for host in self.allow_hosts
            if split_host(host) is None
        ]
        if self.contact and not (self.contact.isascii() and self.contact.isprintable()):
            found.append(f"--contact is {self.contact!r}: printable ASCII is allowed")
        if not all(part.isalnum() and part.isascii() for part in self.market.split("-")):
            found.append(f"--market is {self.market!r}: a language and country such as en-US")
        return found


def split_host(text: str) -> tuple[str, int | None] | None:
    """HOST or HOST:PORT as (host, port); IPv6 addresses stand in brackets. None if it is neither.

    >>> split_host("Localhost:8080"), split_host("[::1]:80"), split_host("http://a/b")
    (('localhost', 8080), ('::1', 80), None)
    """
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.netloc != text or parts.username is not None or text.endswith(":"):
        return None
    return host, port


def _is_text(text: str) -> bool:
    """Without the halves of characters that a broken command line gives."""
    return text == text.encode("utf-8", "replace").decode() and "\0" not in text


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _field(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def _range_problem(option: str, value: float, low: float, high: float) -> str | None:
    if math.isfinite(value) and low <= value <= high:
        return None
    return f"{option} is {value:g}: {low:,} to {high:,} is allowed"
