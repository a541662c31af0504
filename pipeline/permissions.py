"""Whether an image may be fetched, by what its host says of itself and its images."""

from __future__ import annotations

from urllib3 import HTTPHeaderDict

from facegan.core.records import Reason
from pipeline.connections import Connections
from pipeline.opt_outs import Reservations, reservation
from pipeline.robots import Robots
from pipeline.troubles import Trouble


class Permissions:
    """What is asked before and after each request for an image, as the settings have it.

    Args:
        connections: open ones.
    """

    def __init__(self, connections: Connections) -> None:
        config = connections.config
        self._robots = Robots(connections) if config.robots_txt else None
        self._reservations = Reservations(connections) if config.opt_outs else None

    def check_address(self, url: str) -> None:
        """Nothing, where an address may be asked for.

        Raises:
            Trouble: its host's robots.txt or tdmrep.json forbids it, or nobody can tell.
        """
        if self._robots:
            self._robots.check(url)
        if self._reservations:
            self._reservations.check(url)

    def check_headers(self, headers: HTTPHeaderDict) -> None:
        """Nothing, where an answer may be used.

        Raises:
            Trouble: its header reserves it.
        """
        if self._reservations and (found := reservation(headers)):
            raise Trouble(Reason.OPTED_OUT, found, final=True)
