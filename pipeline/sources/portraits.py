"""Drawn portraits as a source: nobody is shown, nothing is fetched, and they are free to use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from facegan.core.records import Outcome, Reason, SearchResult, Status
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched, judge
from pipeline.images import encode_png
from pipeline.portrait_head import Pose, face_box, landmarks
from pipeline.portraits import PortraitAttributes, draw_attributes, paint
from pipeline.sources.licences import CC0, CC0_URL

CREATOR = "facegan"
ADDRESS = re.compile(r"portrait:(\d{1,19})/(\d{1,19})\?size=(\d{2,4})", re.ASCII)


class PortraitSource:
    """Portrait `INDEX` of a seed has the address `portrait:SEED/INDEX?size=PX`, wholly fixed by it.

    The title holds what the portrait shows, as JSON: its attributes, and its true box, eyes and
    landmarks in the picture's pixels.

    Args:
        config: `seed`, `size_px` and `limit` count.
    """

    name = "portraits"
    gives = frozenset({"title", "creator", "license", "license_url", "width", "height"})

    def __init__(self, config: ScrapeConfig) -> None:
        self._config = config

    def search(self, query: str) -> Iterator[SearchResult]:
        """See Source. The query does not choose: it is what the portraits are gathered under.

        As many as are to be kept, so that a limit which no portrait meets cannot go on for ever.
        """
        size_px = self._config.size_px
        for index in range(self._config.limit):
            yield SearchResult(
                f"portrait:{self._config.seed}/{index}?size={size_px}",
                query,
                self.name,
                index,
                title=json.dumps(_truth(_attributes(self._config.seed, index), size_px)),
                creator=CREATOR,
                license=CC0,
                license_url=CC0_URL,
                width=size_px,
                height=size_px,
            )

    def fetch(self, result: SearchResult) -> Fetched | Outcome:
        """See Source."""
        found = ADDRESS.fullmatch(result.url)
        if found is None:
            return Outcome(Status.REJECTED, Reason.BAD_ADDRESS, f"{result.url!r} is no portrait")
        seed, index, size_px = map(int, found.groups())
        portrait = paint(_attributes(seed, index), size_px)
        return judge(encode_png(portrait.image), self._config)


def _attributes(seed: int, index: int) -> PortraitAttributes:
    """As `portraits(count, seed)` draws number `index`."""
    return draw_attributes(np.random.default_rng((seed, index)))


def _truth(attributes: PortraitAttributes, size_px: int) -> dict[str, Any]:
    """What `paint` would tell of the portrait, to a hundredth of a pixel, without painting it."""
    pose = Pose.of(attributes, size_px)
    box = face_box(pose, attributes.jaw)
    points = [[round(x, 2), round(y, 2)] for x, y in landmarks(pose, attributes.expression)]
    return attributes.as_dict() | {
        "box": [round(side, 2) for side in (box.left, box.top, box.right, box.bottom)],
        "eyes": points[:2],
        "landmarks": points,
    }
