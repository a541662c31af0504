"""Published weight files: fetched once, checked by their hash, kept in the user's cache.

Three ways end in an error, each naming the file, its address, the cache place and `--weights`:

    SourceError     4   the file could not be fetched, or what came is not the file
    ScoreError      3   a local file (`--weights FILE`) is missing or unreadable
    WorkspaceError  3   the cache cannot be written
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from facegan.core import events, files
from facegan.core.cache import cache_dir as cache_root
from facegan.core.errors import ScoreError, SourceError, WorkspaceError

STAGE = "weights"
_CHUNK_BYTES = 1 << 20
_CONNECT_S = 10.0
_READ_S = 60.0


@dataclass(frozen=True, slots=True)
class Published:
    """A weight file as its makers publish it."""

    name: str
    address: str
    sha256: str
    bytes: int
    mirrors: tuple[str, ...] = ()
    """Further addresses of the same bytes, in the order in which they are tried; their file names
    are taken from the cache too."""

    @property
    def names(self) -> tuple[str, ...]:
        """File names under which it is known, its own first."""
        return (self.name, *(Path(address).name for address in self.mirrors))


TORCHVISION_INCEPTION = Published(
    name="inception_v3_google-0cc3c7bd.pth",
    address="https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
    sha256="0cc3c7bd75056d25e46cba549dc184522069b81e9787eff6df84f397bd52a5ef",
    bytes=108_949_747,
)
"""torchvision's `Inception_V3_Weights.IMAGENET1K_V1`, 104 MiB, 1000 classes of ImageNet."""

FID_INCEPTION = Published(
    name="pt_inception-2015-12-05-6726825d.pth",
    address="https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth",
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    bytes=95_628_359,
    mirrors=(
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
        "weights-inception-2015-12-05-6726825d.pth",
    ),
)
"""The network of TensorFlow's `inception-2015-12-05.tgz` in PyTorch's format, 91 MiB, 1008 classes:
what FID is defined by; pytorch-fid and torch-fidelity publish the same bytes."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file on this machine, with the hash of what is in it."""

    path: Path
    sha256: str
    official: bool
    """Whether its bytes are those that the makers published."""


def cache_dir() -> Path:
    """Where weight files are kept: `$FACEGAN_CACHE/weights`, else under the user's cache folder."""
    return cache_root() / "weights"


def cached_path(
    published: Published, cache: Path | None = None, *, hashed: bool = False
) -> Path | None:
    """Where the file is in the cache, under any of its names; None where it is not.

    Args:
        published: what is wanted; its length must be right.
        cache: the folder of cached files; `cache_dir()` by default.
        hashed: its SHA-256 must be right too (0.1 s for 100 MB). Else no bytes are read.
    """
    for path in _places(published, cache or cache_dir()):
        if not path.is_file() or path.stat().st_size != published.bytes:
            continue
        if not hashed or files.sha256_of_file(path) == published.sha256:
            return path
    return None


def is_cached(published: Published, cache: Path | None = None) -> bool:
    """Whether a file of its name and length is there; asks no network, reads no bytes."""
    return cached_path(published, cache) is not None


def obtain(
    published: Published = TORCHVISION_INCEPTION,
    *,
    local: Path | None = None,
    cache: Path | None = None,
    listener: events.Listener = events.silent,
) -> WeightsFile:
    """The weight file: `local` where it is given, else the cache, else the network.

    A cached file is hashed each time (0.1 s for 100 MB); a damaged one is fetched again.

    Args:
        published: what is wanted.
        local: a file of the user's own (`--weights`); another hash than the published one is
            allowed, noted as a warning and recorded.
        cache: the folder of cached files; `cache_dir()` by default.
        listener: gets the download's progress in bytes, and the notes.

    Raises:
        ScoreError: `local` cannot be read.
        SourceError: the file cannot be fetched, or what came is not the published file.
        WorkspaceError: the cache cannot be written.
    """
    if local is not None:
        return _local(published, local, listener)
    folder = cache or cache_dir()
    if known := cached_path(published, folder, hashed=True):
        return WeightsFile(known, published.sha256, official=True)
    for path in _places(published, folder):
        if path.is_file():
            text = f"{path} is damaged (its hash differs): it is fetched again"
            listener(events.Note(STAGE, text, warning=True))
    path = folder / published.name
    _download(published, path, listener)
    return WeightsFile(path, published.sha256, official=True)


def remedy(published: Published, cache: Path | None = None) -> str:
    """One sentence: how to get the file by hand, and where to put it."""
    place = (cache or cache_dir()) / published.name
    addresses = " or ".join((published.address, *published.mirrors))
    return (
        f"fetch {published.name} from {addresses} on a machine that can, then put it at "
        f"{place} (FACEGAN_CACHE names another cache folder) or give it as --weights FILE"
    )


def _places(published: Published, folder: Path) -> list[Path]:
    return [folder / name for name in published.names]


def _local(published: Published, path: Path, listener: events.Listener) -> WeightsFile:
    try:
        sha256 = files.sha256_of_file(path)
    except OSError as error:
        why = error.strerror or str(error)
        message = f"cannot read the weights {path} (--weights): {why}"
        raise ScoreError(message, hint=remedy(published)) from error
    official = sha256 == published.sha256
    if not official:
        text = (
            f"unofficial weights: {path} has sha256 {sha256[:8]}…, not {published.sha256[:8]}… of "
            f"{published.name}: scores compare only with others of the same file"
        )
        listener(events.Note(STAGE, text, warning=True))
    return WeightsFile(path, sha256, official)


def _download(published: Published, path: Path, listener: events.Listener) -> None:
    """Fetch from the first address that gives the file; the last one's failure is raised."""
    addresses = (published.address, *published.mirrors)
    for address in addresses:
        others = tuple(other for other in addresses if other != address)
        try:
            _fetch(replace(published, address=address, mirrors=others), path, listener)
        except SourceError as error:
            if address == addresses[-1]:
                raise
            listener(events.Note(STAGE, f"{error.message}: the next address is tried"))
        else:
            return


def _fetch(published: Published, path: Path, listener: events.Listener) -> None:
    """Fetch to a temporary name, check length and hash, then rename."""
    digest = hashlib.sha256()
    received = 0
    listener(events.Note(STAGE, f"fetching {published.address} to {path}"))
    listener(events.Started(STAGE, total=published.bytes, unit="byte"))
    try:
        with files.atomic_writer(path) as file:
            for chunk in _chunks(published, path):
                received += len(chunk)
                if received > published.bytes:
                    raise _refused(published, path, f"it is longer than {published.bytes} bytes")
                digest.update(chunk)
                file.write(chunk)
                listener(events.Advanced(STAGE, received))
            _check(published, path, received, digest.hexdigest())
    except WorkspaceError as error:
        hint = "name a cache folder that can be written: FACEGAN_CACHE=DIR"
        raise WorkspaceError(error.message, hint=hint) from error
    finally:
        listener(events.Finished(STAGE))


def _check(published: Published, path: Path, received: int, sha256: str) -> None:
    if received < published.bytes:
        raise _refused(published, path, f"cut short after {received} of {published.bytes} bytes")
    if sha256 != published.sha256:
        raise _refused(
            published, path, f"sha256 is {sha256[:8]}…, not {published.sha256[:8]}…: another file"
        )


def _chunks(published: Published, path: Path) -> Iterator[bytes]:
    """The body as it arrives; every network error becomes a SourceError.

    It must become one here: requests' errors are OSErrors, which the atomic writer around this
    would report as a folder that cannot be written.
    """
    import requests

    try:
        with requests.get(
            published.address,
            stream=True,
            timeout=(_CONNECT_S, _READ_S),
            headers={"Accept-Encoding": "identity", "User-Agent": "facegan"},
        ) as response:
            if response.status_code != requests.codes.ok:
                raise _refused(published, path, f"the server answers {response.status_code}")
            yield from response.iter_content(_CHUNK_BYTES)
    except requests.RequestException as error:
        raise _refused(published, path, _why(error)) from error


def _why(error: Exception) -> str:
    """A requests error in a few words: its type says enough, its text is a nest of reprs."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate is not trusted"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "cut short by the server"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__


def _refused(published: Published, path: Path, why: str) -> SourceError:
    message = f"cannot get the weights {published.name} from {published.address}: {why}"
    return SourceError(message, hint=remedy(published, path.parent))
