"""What a search came to: its report, and the figures beside its bar."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from facegan.core.counted import counted
from facegan.core.errors import (
    BlockedError,
    FaceganError,
    NothingProducedError,
    RateLimitedError,
    SourceError,
)
from facegan.core.records import Reason, Status, Tally
from pipeline.config import ScrapeConfig
from pipeline.stage import Ends

QUERY_STRING = re.compile(r"(https?://[^\s?]*)\?[^\s)]+(?<![,;.:])")
NEAR_CEILING = 0.9
"""Of a source's ceiling: from here on it is said to be reached."""


@dataclass(frozen=True, slots=True)
class ScrapeReport:
    """What one search did, and what the workspace now holds for its query."""

    query: str
    source: str
    limit: int
    images: int
    """Distinct images kept for the query, over all calls."""
    results: int
    """New addresses that this call's search brought."""
    tally: Tally
    """How the addresses ended that this call tried."""
    new_bytes: int
    """Written by this call."""
    seconds: float
    stopped: bool
    """Ctrl-C ended it."""
    error: str | None = None
    """What broke the search off, or why it made nothing."""
    trouble: str | None = None
    """The same in one or two words."""
    failed: bool = False
    """Whether the source is to blame for it."""
    ended: bool = False
    """The source has no more."""
    forgotten: int = 0
    """Known addresses of the query that were taken out with `facegan forget`."""

    left: int = 0
    """Addresses that the limit has left, where the source can tell without asking anybody."""

    @property
    def next_limit(self) -> int | None:
        """The limit that takes them too; None where none are left."""
        return self.images + self.left if self.left else None

    @property
    def next_step(self) -> str:
        """The command that goes on from here."""
        if self.stopped:
            return f'run the same command again: facegan scrape "{self.query}"'
        return "facegan crop"

    @property
    def images_per_s(self) -> float:
        """Images that this call kept, a second."""
        return self.tally.kept / self.seconds if self.seconds > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        values = asdict(self) | {"tally": self.tally.as_dict()}
        told = {"images_per_s": self.images_per_s, "next_limit": self.next_limit}
        return values | told | {"next_step": self.next_step}


def nothing(report: ScrapeReport) -> FaceganError:
    """Why a search that ended has no image."""
    tally, query = report.tally, report.query
    if not tally.total and report.forgotten:
        what = "the only result" if report.forgotten == 1 else f"all {report.forgotten} results"
        verb = "was" if report.forgotten == 1 else "were"
        text = f"{what} of {query!r} {verb} taken out with `facegan forget`"
        return NothingProducedError(text, hint="try other words or another --source")
    if not tally.total:
        text = f"{report.source} has no image for {query!r}"
        return NothingProducedError(text, hint="try other words, or fewer of them")
    counts = Counter(tally.rejected) + Counter(tally.failed)
    reasons = ", ".join(f"{reason} {n}" for reason, n in counts.most_common())
    text = f"none of {tally.total} addresses for {query!r} gave an image: {reasons}"
    if tally.rejected:
        return NothingProducedError(text, hint="try other words or another --source")
    return SourceError(text, hint="check the network, then run the same command again")


def enough(images: int, config: ScrapeConfig) -> str:
    """Why a call has nothing to do."""
    are = "is" if images == 1 else "are"
    what = f"{counted(images, 'image')} of {config.query!r} from {config.source}"
    return f"{what} {are} here: nothing to do"


def in_short(error: FaceganError) -> str:
    """What broke a search off, for the cell of a table.

    >>> in_short(SourceError("example.org answers with HTTP 404", status=404))
    'HTTP 404'
    """
    if isinstance(error, NothingProducedError):
        return "nothing found"
    if isinstance(error, RateLimitedError):
        return "rate limited"
    if isinstance(error, BlockedError):
        return "blocked"
    if isinstance(error, SourceError) and (error.status or 0) >= 400:
        return f"HTTP {error.status}"
    return "unreachable" if error.message.startswith("cannot reach") else "failed"


def with_short_addresses(text: str) -> str:
    """A sentence in which no address goes on beyond its `?`.

    >>> with_short_addresses("https://a.example/api?q=ada&n=5 answers with HTTP 500")
    'https://a.example/api?… answers with HTTP 500'
    """
    return QUERY_STRING.sub(r"\1?…", text)


def near_ceiling(source: str, found: int) -> str | None:
    """What to say of a search that ended, where its source gives no more for one query."""
    if source != "bing":
        return None
    from pipeline.sources.bing import CEILING

    if found < NEAR_CEILING * CEILING:
        return None
    return (
        f"Bing gives about {CEILING} results for one query, and gave {found}: more images take"
        " more queries (--queries FILE)"
    )


def figures(kept: int, ends: Ends, arrived: int, seconds: float) -> dict[str, int | float]:
    """What stands beside the bar: counts that are not 0, the commonest reason and the speed.

    Args:
        kept: images of the query.
        ends: how the addresses of this call ended.
        arrived: bytes of its images.
        seconds: since it began.

    >>> figures(3, Counter({(Status.FAILED, "timeout"): 2}), 0, 1.0)
    {'kept': 3, 'failed': 2, 'timeout': 2, 'MB/s': 0.0}
    """
    reasons: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for (status, reason), count in ends.items():
        if reason == Reason.DUPLICATE:
            counts["duplicate"] += count
        elif status in {Status.REJECTED, Status.FAILED}:
            counts[status.value] += count
            reasons[reason] += count
    shown = {name: counts[name] for name in ("duplicate", "rejected", "failed") if counts[name]}
    speed = arrived / 1e6 / seconds if seconds > 0 else 0.0
    return {"kept": kept} | shown | dict(reasons.most_common(1)) | {"MB/s": speed}


def recorded(config: ScrapeConfig) -> dict[str, Any]:
    """The settings of a call as the catalog keeps them: without a proxy's password."""
    settings = config.to_dict()
    if config.proxy:
        parts = urlsplit(config.proxy)
        settings["proxy"] = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return settings
