"""What hosts' robots.txt allow.

References:
    M. Koster, G. Illyes, H. Zeller, L. Sassman: Robots Exclusion Protocol. RFC 9309, 2022. No file
    (4xx) allows everything; a server that fails (5xx, and here 429) leaves it open, and what is
    open is not fetched.
"""

from __future__ import annotations

from protego import Protego

from facegan.core.records import Reason
from pipeline.connections import AGENT_TOKEN, Connections, host_of, target_of
from pipeline.host_files import HostFile
from pipeline.troubles import Trouble

PATH = "/robots.txt"
LONGEST_DELAY_S = 60.0
"""A host that wants more between two requests gets this much."""


class Robots:
    """The rules of every host that images lie on.

    Args:
        connections: open ones; their manners learn of a host's Crawl-delay.
    """

    def __init__(self, connections: Connections) -> None:
        self._manners = connections.manners
        self._files = HostFile(connections, PATH, self._read, needed=True)

    def check(self, url: str) -> None:
        """Nothing, where `url` may be fetched.

        Raises:
            Trouble: it may not be, or nobody can tell.
        """
        rules = self._files.of(url)
        if rules is None:
            return
        target, host, _ = target_of(url)
        if not rules.can_fetch(target.url, AGENT_TOKEN):
            raise Trouble(Reason.ROBOTS_TXT, f"the robots.txt of {host} asks not to", final=True)

    def _read(self, url: str, body: bytes | None) -> Protego | None:
        """Rules, or None where everything is allowed."""
        if body is None:
            return None
        rules = Protego.parse(body.decode("utf-8-sig", errors="replace"))
        if delay_s := rules.crawl_delay(AGENT_TOKEN):
            self._manners.limit(host_of(url), per_second=1 / min(delay_s, LONGEST_DELAY_S))
        return rules
