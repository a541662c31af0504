"""The order of downloads: the hosts take turns, so that a slow one does not hold up the others."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Collection, Iterable

from facegan.core.addresses import host_of
from facegan.core.records import SearchResult


class HostQueue:
    """Results that wait: one of each host in turn, in their order within a host.

    Args:
        most: results of one host that are in work at a time.
        own: hosts for which that does not hold; addresses without a host are among them.
    """

    def __init__(self, most: int, own: Collection[str] = ()) -> None:
        self._most = most
        self._own = {"", *own}
        self._waiting: OrderedDict[str, deque[SearchResult]] = OrderedDict()
        self._in_work: Counter[str] = Counter()
        self._hosts: dict[str, str] = {}
        """Of the addresses in work."""
        self._size = 0

    def __len__(self) -> int:
        """Results that wait."""
        return self._size

    def add(self, results: Iterable[SearchResult]) -> None:
        """Let these wait as well."""
        for result in results:
            self._waiting.setdefault(host_of(result.url), deque()).append(result)
            self._size += 1

    def take(self) -> SearchResult | None:
        """The next result; None where all that wait are of hosts with enough work."""
        for host in self._waiting:
            if host in self._own or self._in_work[host] < self._most:
                return self._taken(host)
        return None

    def done(self, result: SearchResult) -> None:
        """A result that was taken is no longer in work."""
        host = self._hosts.pop(result.url)
        self._in_work[host] -= 1
        if not self._in_work[host]:
            del self._in_work[host]

    def _taken(self, host: str) -> SearchResult:
        results = self._waiting[host]
        result = results.popleft()
        if results:
            self._waiting.move_to_end(host)
        else:
            del self._waiting[host]
        self._in_work[host] += 1
        self._hosts[result.url] = host
        self._size -= 1
        return result
