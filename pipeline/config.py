"""The settings of the data half: what `facegan scrape`, `crop` and `shard` can be told."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from facegan.core.config import Config, limits, setting
from facegan.core.hashing import config_hash
from pipeline.sources import SOURCES

MIB = 1024 * 1024
SIZES = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Powers of two, which the networks need, and halves between them for other uses."""
DETECTORS = ("auto", "haar", "yunet")
FACES = ("largest", "all")


def available_cpus() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class ScrapeConfig(Config):
    """One call of `facegan scrape`."""

    query: str
    """What to search for; a name for what is gathered with the sources folder and portraits."""
    limit: int = setting(1000, low=1, high=10_000_000)
    """Images to keep for the query, over all calls."""
    source: str = setting("bing", choices=SOURCES)
    """bing, folder or portraits."""
    base_url: str | None = None
    """Address of another server that answers as the source does; None is the source's own."""
    allow_hosts: tuple[str, ...] = ()
    """HOST or HOST:PORT each: one's own servers, which may have private addresses."""
    folder: Path | None = None
    """The source folder's directory."""
    seed: int = setting(0, low=0, high=2**63 - 1)
    """The source portraits': another seed, other people."""
    size_px: int = setting(384, low=32, high=4096)
    """Side of the portraits that the source portraits draws, in pixels."""
    only_faces: bool = True
    """Ask the search for faces alone."""
    only_photos: bool = True
    """Ask the search for photographs alone."""
    market: str = "en-US"
    """Language and country to search in; sent as Accept-Language."""
    contact: str | None = None
    """Address or page in the User-Agent under which a server's owner can complain."""
    workers: int = setting(16, low=1, high=256)
    """Downloads at the same time."""
    timeout_s: float = setting(10.0, low=0.1, high=600)
    """Wait for a connection, and for each piece of an answer."""
    deadline_s: float = setting(60.0, low=0.1, high=3600)
    """Time for one image with its redirects, retries and waits, and for one result page."""
    retries: int = setting(2, low=0, high=20)
    """Further tries within a call where a server fails or asks to wait."""
    max_bytes: int = setting(20 * MIB, low=1, high=1024 * MIB)
    """Of one file, also after decompression."""
    max_pixels: int = setting(100_000_000, low=1, high=1_000_000_000)
    """Width times height, judged from the header."""
    min_size_px: int = setting(32, low=1, high=100_000)
    """Of the shorter side."""

    def problems(self) -> list[str]:
        """One sentence for each setting that cannot be."""
        found = Config.problems(self)
        if not self.query.strip():
            found.append("the search term is empty")
        if not _is_text(self.query):
            found.append(f"the search term is {self.query!r}: text in UTF-8 is allowed")
        return found + self._source_problems() + self._address_problems()

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

    def _source_problems(self) -> list[str]:
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


@dataclass(frozen=True, slots=True)
class CropConfig(Config):
    """One call of `facegan crop`. The reference cut `detector="haar", margin=0, faces="all"`."""

    size: int = setting(256, choices=SIZES)
    """Side of a crop, in pixels."""
    detector: str = setting("auto", choices=DETECTORS)
    """auto, haar or yunet; auto is YuNet where its model is at hand, else Haar."""
    model: Path | None = None
    """YuNet's model file; None is the one in the cache."""
    margin: float = setting(0.1, low=0, high=1)
    """Added to each side of the box, as a share of its longer side."""
    faces: str = setting("largest", choices=FACES)
    """Of the faces of one image: the largest, or all."""
    min_face_px: int = setting(50, low=20, high=10_000)
    """Of the box's shorter side, in the original's pixels; smaller faces are rejected."""
    scale_factor: float = setting(1.1, low=1.01, high=2)
    """Haar: from one size of the search window to the next."""
    neighbours: int = setting(5, low=0, high=100)
    """Haar: detections that must agree on a face."""
    score_threshold: float = setting(0.6, low=0.05, high=1)
    """YuNet: the least confidence."""
    search_px: int = setting(640, low=64, high=16_384)
    """Images with a longer side above this are searched reduced to it; crops are cut from the
    original."""
    max_pixels: int = setting(100_000_000, low=1, high=1_000_000_000)
    """Width times height of an original, judged from the header."""
    workers: int = field(default_factory=available_cpus, metadata=limits(low=1, high=256))
    """Processes."""

    def problems(self) -> list[str]:
        """One sentence for each setting that cannot be."""
        found = Config.problems(self)
        if self.model is not None and self.detector == "haar":
            found.append(f"--model is {str(self.model)!r}: it is YuNet's, and --detector is haar")
        return found

    def config_hash(self, detector: str, model_sha256: str | None) -> str:
        """16 hexadecimal digits over what decides an image's faces.

        Args:
            detector: the one that `auto` came to: haar or yunet.
            model_sha256: of YuNet's model; None for Haar.
        """
        deciding = {
            "size": self.size,
            "detector": detector,
            "model": model_sha256,
            "margin": float(self.margin),
            "faces": self.faces,
            "min_face_px": self.min_face_px,
            "search_px": self.search_px,
            "max_pixels": self.max_pixels,
        }
        if detector == "haar":
            deciding |= {"scale": float(self.scale_factor), "neighbours": self.neighbours}
        else:
            deciding |= {"score": float(self.score_threshold)}
        return config_hash(deciding)


@dataclass(frozen=True, slots=True)
class ShardConfig(Config):
    """One call of `facegan shard`."""

    size: int | None = setting(None, choices=SIZES)
    """Side of an image, in pixels. None is that of the crops, and 256 for a folder; crops can be
    packed at their own size only."""
    max_bytes: int = setting(256 * MIB, low=MIB, high=16 * 1024 * MIB)
    """Of one shard, about."""
    max_pixels: int = setting(100_000_000, low=1, high=1_000_000_000)
    """Width times height of a file of the folder, judged from the header."""


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
