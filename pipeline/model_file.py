"""YuNet's model file: fetched once, checked by its hash, kept in the user's cache.

A file gets its name in the cache only after its hash was found right, and nothing else is
remembered: where it cannot be fetched, the next call tries again.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from facegan.core import files
from facegan.core.cache import cache_dir
from facegan.core.errors import MissingDependencyError, SourceError, WorkspaceError
from facegan.core.events import Listener, Note, silent

# The network's libraries are imported where the model is fetched: each worker imports this file.
if TYPE_CHECKING:
    from pipeline.connections import Connections
    from pipeline.guard import Resolver

STAGE = "crop"
MODEL_NAME = "face_detection_yunet_2023mar.onnx"
MODEL_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
MODEL_URL = (
    "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/" + MODEL_NAME
)
MAX_BYTES = 1024 * 1024
"""The model has 232,589."""
MAX_REDIRECTS = 5
"""GitHub sends us to the host of large files."""
DEADLINE_S = 20.0
"""For all: redirects, tries and the body."""
ANSWER_S = 4.0
"""For a name's addresses, for a connection and for each piece of an answer."""
RETRIES = 2
"""Where a server answers that it is busy or breaks off; not where it cannot be reached."""
MOST_ADDRESSES = 2
"""Of one name: without a network each of them may cost ANSWER_S."""

Fetch = Callable[[Path], None]
"""Puts the model under a path; raises SourceError or WorkspaceError."""


def model_path() -> Path:
    """Where YuNet's model is kept: `$FACEGAN_CACHE/models`, else under the user's cache folder."""
    return cache_dir() / "models" / MODEL_NAME


def cached_model() -> Path | None:
    """The cached file where its bytes are the model's, else None; asks no network."""
    path = model_path()
    try:
        return path if files.sha256_of_file(path) == MODEL_SHA256 else None
    except OSError:
        return None


def fetch_model(
    path: Path,
    url: str = MODEL_URL,
    *,
    sha256: str = MODEL_SHA256,
    allow_hosts: tuple[str, ...] = (),
    resolver: Resolver | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] | None = None,
) -> None:
    """Download the model; `path` is written whole, and only with the right bytes.

    Args:
        path: where it goes.
        url: where it comes from.
        sha256: of the right bytes.
        allow_hosts: hosts whose address may be private; see ScrapeConfig.
        resolver: turns names into addresses; None is the system's, with an end.
        clock: seconds that only go forward.
        sleep: waits that many seconds before another try.

    Raises:
        SourceError: it cannot be fetched, or what came is another file.
        WorkspaceError: the folder cannot be written; no network is asked then.
    """
    from pipeline.config import ScrapeConfig
    from pipeline.connections import Connections

    config = ScrapeConfig(
        MODEL_NAME, allow_hosts=allow_hosts, workers=1, retries=RETRIES, timeout_s=ANSWER_S,
        deadline_s=DEADLINE_S, max_redirects=MAX_REDIRECTS, max_bytes=MAX_BYTES,
    )  # fmt: skip
    connections = Connections(
        config, resolver=resolver or prompt_resolver, clock=clock, sleep=sleep
    )
    with files.atomic_writer(path) as file, connections:
        data = _download(url, connections)
        found = files.sha256_of(data)
        if found != sha256:
            raise SourceError(f"{url} is another file: its SHA-256 is {found}, not {sha256}")
        file.write(data)


def yunet_model(
    given: Path | None = None, *, fetch: Fetch | None = fetch_model, listener: Listener = silent
) -> Path:
    """The model's file: the one that is given, else the cached one, else a fetched one.

    Args:
        given: `--model`; whatever it is, it is taken.
        fetch: gets a missing or damaged one; None asks no network.
        listener: hears that something was fetched.

    Raises:
        MissingDependencyError: it is not here and cannot be fetched.
    """
    if path := given or cached_model():
        return path
    path = model_path()
    what = f"is not in {path}"
    if path.exists():
        what = f"is not what {path} holds (its SHA-256 is not {MODEL_SHA256})"
    if fetch is None:
        raise _missing(what)
    try:
        fetch(path)
    except (SourceError, WorkspaceError) as error:
        raise _missing(f"{what}, and could not be fetched: {error.message}") from error
    listener(Note(STAGE, "fetched YuNet's model from the OpenCV Zoo"))
    return path


def keep_model(given: Path) -> bool:
    """Put the Zoo's model into the cache, where later calls find it.

    Returns:
        Whether it was put there: it was not there before, it can be written, and what was given is
        that model.
    """
    if cached_model():
        return False
    try:
        data = given.read_bytes()
        if files.sha256_of(data) == MODEL_SHA256:
            files.write_bytes(model_path(), data)
            return True
    except (OSError, WorkspaceError):
        pass
    return False


def why_missing(error: MissingDependencyError) -> str:
    """Why `yunet_model` has none, in a few words: without the place and the address."""
    cause = error.__cause__
    if not isinstance(cause, (SourceError, WorkspaceError)):
        return "is not here"
    return f"cannot be fetched: {cause.message.replace(MODEL_URL, '').lstrip(': ')}"


def prompt_resolver(
    host: str, port: int, *, limit_s: float = ANSWER_S, lookup: Resolver | None = None
) -> list[str]:
    """The system's resolver with an end: without a network that itself may wait for long.

    Raises:
        TimeoutError: there is no answer in time.
        socket.gaierror: the name has no address.
    """
    from pipeline.guard import system_resolver

    answer: concurrent.futures.Future[list[str]] = concurrent.futures.Future()

    def look_up() -> None:
        try:
            answer.set_result((lookup or system_resolver)(host, port))
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=look_up, daemon=True).start()
    return answer.result(limit_s)[:MOST_ADDRESSES]


def _download(url: str, connections: Connections) -> bytes:
    """The body behind `url`, trying again where the server may do better."""
    from facegan.core.records import Reason
    from pipeline.troubles import Trouble
    from pipeline.words import printable

    connections.deadline.at = connections.clock() + connections.config.deadline_s
    attempt = 0
    while True:
        try:
            return _follow(url, connections)
        except Trouble as trouble:
            reached = trouble.reason not in {Reason.CONNECTION, Reason.TIMEOUT}
            more = trouble.again and reached and attempt < connections.config.retries
            host = trouble.url or url
            if not connections.wait(attempt, host, trouble.http_status, trouble.wished, more=more):
                offline = "" if reached else " (no internet?)"
                raise SourceError(f"{url}: {printable(str(trouble))}{offline}") from trouble
        attempt += 1


def _follow(url: str, connections: Connections) -> bytes:
    """One try, with its redirects."""
    from facegan.core.records import Reason
    from pipeline.bodies import read_body
    from pipeline.connections import redirect_of
    from pipeline.troubles import Trouble, of_status, told

    headers = {"User-Agent": connections.agent, "Accept-Encoding": "identity"}
    for _ in range(connections.config.max_redirects + 1):
        with told(connections), connections.ask(url, headers) as answer:
            target = redirect_of(answer, url)
            if target is None:
                if answer.status != 200:
                    raise of_status(answer.status, answer.headers.get("Retry-After"), url)
                with told(connections, Reason.SHORT_BODY):
                    return read_body(answer, connections.config.max_bytes)
        url = target
    text = f"more than {connections.config.max_redirects} redirects"
    raise Trouble(Reason.TOO_MANY_REDIRECTS, text, final=True)


def _missing(what: str) -> MissingDependencyError:
    return MissingDependencyError(
        f"YuNet's model {what}",
        hint=f"fetch {MODEL_URL} to {model_path()}, or give it: --model FILE, or --detector haar",
    )
