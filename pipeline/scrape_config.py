"""The settings of `facegan scrape`."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from facegan.core.config import Config, setting
from facegan.core.errors import ConfigError
from facegan.core.hashing import config_hash
from pipeline.sources import SOURCES

MIB = 1024 * 1024
LICENSES = ("any", "public", "share", "share-commercially", "modify", "modify-commercially")
"""What the licence must allow, where a source can be asked for it; public is the public domain."""
ALLOWED_BY = {
    "cc0": "public",
    "pdm": "public",
    "publicdomain": "public",
    "by": "modify-commercially",
    "bysa": "modify-commercially",
    "bync": "modify",
    "byncsa": "modify",
    "bynd": "share-commercially",
    "byncnd": "share",
}
"""By the letters of a licence's name, without Creative Commons' own: what it allows."""
NO_SEARCH = ("urls", "folder", "portraits")
"""Sources that give what they have, whatever is asked for."""
SAFE_SEARCHES = ("strict", "moderate", "off")


@dataclass(frozen=True, slots=True)
class ScrapeConfig(Config):
    """One search of `facegan scrape`: one query at one source."""

    query: str
    """What to search for; a name for what is gathered with the sources urls, folder and
    portraits."""
    limit: int = setting(1000, low=1, high=10_000_000)
    """Images to keep for the query from this source, over all calls."""
    source: str = setting("bing", choices=SOURCES)
    """Where to search; `facegan sources` tells of each."""
    base_url: str | None = None
    """Address of another server that answers as the source does; None is the source's own."""
    folder: Path | None = None
    """The source folder's directory."""
    list_file: Path | None = None
    """The source urls' file: text, CSV or Parquet."""
    url_column: str = "url"
    """The column of CSV or Parquet that holds the addresses."""
    seed: int = setting(0, low=0, high=2**63 - 1)
    """The source portraits': another seed, other people."""
    size_px: int = setting(384, low=32, high=4096)
    """Side of the portraits that the source portraits draws, in pixels."""
    face: bool = True
    """Ask the search for faces alone."""
    portrait: bool = False
    """Ask the search for head and shoulders instead of faces alone."""
    photo: bool = True
    """Ask the search for photographs alone."""
    license: str = setting("any", choices=LICENSES)
    """What the licence must allow; of sources that search."""
    safe_search: str = setting("moderate", choices=SAFE_SEARCHES)
    """How strictly the search leaves out what is not for everybody."""
    market: str = "en-US"
    """Language and country to search in; sent as Accept-Language."""
    contact: str | None = None
    """Address or page in the User-Agent under which a server's owner can complain."""
    opt_outs: bool = True
    """Honour X-Robots-Tag and TDM reservations."""
    robots_txt: bool = True
    """Honour the robots.txt of the hosts that images lie on."""
    allow_hosts: tuple[str, ...] = ()
    """HOST or HOST:PORT each: one's own servers, which may have private addresses."""
    proxy: str | None = None
    """An http or https proxy for everything; the check of addresses then rests on it."""
    workers: int = setting(16, low=1, high=256)
    """Downloads at the same time."""
    host_connections: int = setting(6, low=1, high=256)
    """Of these to one host."""
    host_rate: float = setting(10.0, low=0.0, high=10_000)
    """Requests to one host begun in a second; 0 is as many as there can be."""
    timeout_s: float = setting(10.0, low=0.1, high=600)
    """Wait for a connection, and for each piece of an answer."""
    deadline_s: float = setting(60.0, low=0.1, high=3600)
    """Time for one image with its redirects, retries and waits, and for one result page; waiting
    for a turn at a busy host, or as long as one asks for (Retry-After), does not count."""
    retries: int = setting(2, low=0, high=20)
    """Further tries within a call where a server fails or asks to wait."""
    max_redirects: int = setting(5, low=0, high=20)
    """From an address to its image."""
    max_bytes: int = setting(20 * MIB, low=1, high=1024 * MIB)
    """Of one file, also after decompression."""
    max_pixels: int = setting(100_000_000, low=1, high=1_000_000_000)
    """Width times height, judged from the header."""
    min_size_px: int = setting(32, low=1, high=100_000)
    """Of the shorter side; a search that can is asked for at least that."""

    def problems(self) -> list[str]:
        """One sentence for each setting that cannot be."""
        found = Config.problems(self)
        for at, problem in enumerate(found):
            if problem.startswith("--license ") and (meant := allowed_by(self.license)):
                found[at] = problem.partition("; did you mean")[0] + f"; did you mean {meant}?"
        if not self.query.strip():
            found.append("the search term is empty")
        if not _is_text(self.query):
            found.append(f"the search term is {self.query!r}: text in UTF-8 is allowed")
        return found + self._source_problems() + self._address_problems()

    def validate(self) -> Self:
        """See Config; where a source lacks its option or cannot be asked, with what to do."""
        try:
            return Config.validate(self)
        except ConfigError as error:
            path, option = {
                "urls": (self.list_file, "--list addresses.txt"),
                "folder": (self.folder, "--folder ~/Pictures"),
            }.get(self.source, (Path(), ""))
            if path is None:
                words = shlex.join(["facegan", "scrape", self.query, "--source", self.source])
                error.hint = f"{words} {option}"
            elif self._unasked():
                error.hint = f"leave --license away, or leave {self.source} out of --source"
            raise

    def config_hash(self) -> str:
        """16 hexadecimal digits over what decides whether an address is kept or rejected."""
        deciding = {
            "allow_hosts": sorted(host.lower() for host in self.allow_hosts),
            "folder": self.folder and self.folder.absolute(),
            "max_bytes": self.max_bytes,
            "max_pixels": self.max_pixels,
            "min_size_px": self.min_size_px,
        }
        # Where they are as ever they are left out: what was decided before they came still holds.
        later = {"max_redirects": 5, "opt_outs": True, "robots_txt": True}
        chosen = {name: getattr(self, name) for name in later}
        return config_hash(deciding | {n: v for n, v in chosen.items() if v != later[n]})

    def _unasked(self) -> bool:
        """Whether a licence is asked of a source that does not choose by it."""
        return self.license != "any" and self.source in NO_SEARCH

    def _source_problems(self) -> list[str]:
        found = []
        if self._unasked():
            text = f"--license is {self.license}: the source {self.source} cannot be asked for it"
            found.append(text)
        if self.source == "folder":
            found += _path_problems("folder", "folder", "the directory", self.folder)
        if self.source == "urls":
            found += _path_problems("urls", "list", "the file of addresses", self.list_file)
        return found

    def _address_problems(self) -> list[str]:
        found = []
        for name, address in (("base-url", self.base_url), ("proxy", self.proxy)):
            if address is not None and not _is_web_address(address):
                found.append(
                    f"--{name} is {address!r}: an http or https address is allowed, such as"
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


def _path_problems(source: str, name: str, what: str, path: Path | None) -> list[str]:
    metavar = "DIR" if name == "folder" else "FILE"
    if path is None:
        return [f"--source {source} needs {what} to read: --{name} {metavar}"]
    if not (path.is_dir() if name == "folder" else path.is_file()):
        kind = "directory" if name == "folder" else "file"
        return [f"--{name} is {str(path)!r}: there is no such {kind}"]
    return []


def allowed_by(licence: str) -> str | None:
    """What a well-known licence allows, as --license says it.

    >>> allowed_by("cc0"), allowed_by("CC BY-SA 4.0"), allowed_by("mine")
    ('public', 'modify-commercially', None)
    """
    name = re.sub(r"\d\.\d|[^a-z0]", "", licence.lower())
    return ALLOWED_BY.get(name.removeprefix("cc") if name != "cc0" else name)


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
