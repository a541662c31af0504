"""The frozen records that stages hand to each other and to the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """What became of an item."""

    PENDING = "pending"
    """Not tried yet for this configuration."""
    KEPT = "kept"
    """Done; what it gave goes to the next stage."""
    REJECTED = "rejected"
    """Looked at and left out: final for this configuration."""
    FAILED = "failed"
    """Could not be done now (time-out, 429, 5xx, a worker that died): tried again by the next
    call."""


class Reason(StrEnum):
    """Why an item was rejected or failed. Details stand apart, so that tallies never fragment."""

    # the download
    HTTP_403 = "http_403"
    HTTP_404 = "http_404"
    HTTP_410 = "http_410"
    HTTP_429 = "http_429"
    HTTP_4XX = "http_4xx"
    HTTP_5XX = "http_5xx"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    STOPPED = "stopped"
    """Ctrl-C came before its turn at its host."""
    BAD_ADDRESS = "bad_address"
    BLOCKED_ADDRESS = "blocked_address"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    TOO_LARGE = "too_large"
    SHORT_BODY = "short_body"
    NOT_AN_IMAGE = "not_an_image"
    OPTED_OUT = "opted_out"
    """Its server reserves it (X-Robots-Tag, TDM reservation), or it was set aside by hand."""
    ROBOTS_TXT = "robots_txt"
    """Its host's robots.txt asks not to fetch it."""
    FORGOTTEN = "forgotten"
    """Taken out by `facegan forget`."""
    # the image
    DECODE_FAILED = "decode_failed"
    DECODER_CRASHED = "decoder_crashed"
    DECODE_TIMEOUT = "decode_timeout"
    """It took longer than any picture should, and was broken off: the next call tries again."""
    OUT_OF_MEMORY = "out_of_memory"
    """Of the machine, while it was decoded or searched: the next call tries again."""
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_SMALL = "too_small"
    DUPLICATE = "duplicate"
    # the face
    NO_FACE = "no_face"
    SEARCH_FAILED = "search_failed"
    """The detector, or what measures the picture, failed at it."""
    NOT_LARGEST = "not_largest"
    BAD_CROP = "bad_crop"
    LOW_SCORE = "low_score"
    BLURRED = "blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    TURNED_AWAY = "turned_away"
    TILTED = "tilted"
    PADDED = "padded"
    """Too much of the crop lies beyond the picture's borders."""
    REVIEWED = "reviewed"
    """Rejected by hand, in `facegan review`."""
    # everywhere
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in float pixels, half-open: origin top-left, x to the right, y down.

    >>> Box(10.0, 20.0, 30.0, 60.0).height
    40.0
    """

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """right - left, in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """bottom - top, in pixels."""
        return self.bottom - self.top

    @property
    def area(self) -> float:
        """Square pixels; 0 for an empty or inverted box."""
        return max(0.0, self.width) * max(0.0, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the middle."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def scaled(self, factor: float) -> Box:
        """All four coordinates times `factor`: the same box in a resized image."""
        return Box(self.left * factor, self.top * factor, self.right * factor, self.bottom * factor)

    def iou(self, other: Box) -> float:
        """Intersection over union, in [0, 1]; 0 when either box is empty.

        >>> Box(0, 0, 2, 2).iou(Box(1, 0, 3, 2))
        0.3333333333333333
        """
        shared = Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        ).area
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0


Landmarks = tuple[tuple[float, float], ...]
"""(x, y) points in pixels, as seen in the picture: left eye, right eye and, where they are found,
nose tip, left and right corner of the mouth."""


@dataclass(frozen=True, slots=True)
class Face:
    """One detection."""

    box: Box
    score: float
    """The detector's own confidence; Haar has none and gives 1."""
    landmarks: Landmarks | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One address that a source names for a query, with what the source says of it."""

    url: str
    query: str
    source: str
    rank: int
    """Position in the source's order, from 0."""
    page_url: str | None = None
    title: str | None = None
    creator: str | None = None
    license: str | None = None
    license_url: str | None = None
    attribution: str | None = None
    filters: str | None = None
    """What the source was asked to leave out, in its own words."""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one item in one stage, under one configuration."""

    status: Status
    reason: Reason | None = None
    detail: str | None = None
    ms: float = 0.0
    """Wall time of the item, in milliseconds."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An original as it is stored under `images/`."""

    sha256: str
    path: str
    """Relative to the workspace, with forward slashes."""
    width: int
    height: int
    bytes: int
    format: str
    """jpeg, png, webp, …"""


@dataclass(frozen=True, slots=True)
class FaceRecord:
    """One face of one image, kept or rejected."""

    image_sha256: str
    box: Box | None
    landmarks: Landmarks | None
    score: float | None
    detector: str
    status: Status
    reason: Reason | None = None
    detail: str | None = None
    path: str | None = None
    """The crop, relative to the workspace; None when rejected before it was cut."""
    sha256: str | None = None
    """Of the crop's file."""
    size_px: float | None = None
    """The box's shorter side, in the original's pixels."""
    sharpness: float | None = None
    exposure: float | None = None
    """Mean brightness of the face, in [0, 1]."""
    yaw: float | None = None
    """Degrees that the face is turned to the side, from the landmarks; positive to the right as
    seen."""
    roll: float | None = None
    """Degrees that the head is tilted in the original; positive clockwise as seen."""
    padding: float | None = None
    """Share of the crop that lies beyond the original's borders."""
    upscale: float | None = None
    """Pixels of the crop for one of the original."""
    phash: str | None = None
    """Perceptual hash of the crop; see pipeline.dedup."""
    cluster: str | None = None
    """The hash of the crop that stands for its copies, or of the image where none is cut; None
    where it has none."""
    auto_reason: Reason | None = None
    """Why the rules reject it; None where they keep it."""
    auto_detail: str | None = None
    review: Status | None = None
    """Kept or rejected by hand, which stands above the rules; None where nobody has looked."""
    split: str = "train"
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many items of a stage ended how."""

    kept: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    """By reason."""
    failed: Mapping[str, int] = field(default_factory=dict)
    """By reason."""

    @property
    def total(self) -> int:
        """All items."""
        return self.kept + sum(self.rejected.values()) + sum(self.failed.values())

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "kept": self.kept,
            "rejected": dict(self.rejected),
            "failed": dict(self.failed),
        }
