"""Openverse: openly licensed images of many collections, each with its attribution.

Who has no account gets 20 results a page and 240 a search. Client credentials, which
OPENVERSE_CLIENT_ID and OPENVERSE_CLIENT_SECRET hold, allow more. Another server (`--base-url`) is
given them only where it is one's own (`--allow-host`), and is asked without an account elsewhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from facegan.core.errors import RateLimitedError, SourceError
from facegan.core.records import Outcome, SearchResult
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched, fetch_image
from pipeline.http import Transport
from pipeline.sources.api import Api, fields, may_have_secrets, numbered, whole
from pipeline.sources.licences import attribution, licence_address, licence_name
from pipeline.sources.text import address, clean

BASE_URL = "https://api.openverse.org"
IMAGES = "/v1/images/"
TOKEN = "/v1/auth_tokens/token/"  # noqa: S105 - a path
CLIENT_ID, CLIENT_SECRET = "OPENVERSE_CLIENT_ID", "OPENVERSE_CLIENT_SECRET"

ANONYMOUS_PAGE = 20
ANONYMOUS_DEPTH = 240
ANONYMOUS_PER_SECOND = 20 / 60
CLIENT_PAGE = 50
CLIENT_PER_SECOND = 100 / 60
MAX_PAGES = 500

LICENSES: dict[str, dict[str, str]] = {
    "any": {},
    "public": {"license": "cc0,pdm"},
    "share": {"license_type": "all"},
    "share-commercially": {"license_type": "commercial"},
    "modify": {"license_type": "modification"},
    "modify-commercially": {"license_type": "commercial,modification"},
}
TOO_DEEP = frozenset({400, 401, 404, 422})
"""What is answered to a page beyond the last one that is allowed."""
EXPECTED = re.compile(r"available in (\d{1,7}) seconds?")


class OpenverseSource:
    """Searches on Openverse, or on a server that answers like it.

    Args:
        config: the licence, what is for everybody, and `base_url`.
        transport: open connections.
        answers: folder in which an answer that nobody understands is kept.
        environ: holds the client credentials, if there are any.
    """

    name = "openverse"
    gives = frozenset({"page_url", "license", "license_url", "attribution"})

    def __init__(
        self,
        config: ScrapeConfig,
        transport: Transport,
        answers: Path,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._config = config
        self._transport = transport
        self._api = Api.of(self.name, BASE_URL, config, transport, answers)
        self._client = environ.get(CLIENT_ID) or "", environ.get(CLIENT_SECRET) or ""
        self._token: str | None = None
        self._is_known = any(self._client) and may_have_secrets(config)
        rate = CLIENT_PER_SECOND if self._is_known else ANONYMOUS_PER_SECOND
        transport.manners.limit(self._api.host, connections=1, per_second=rate)

    def search(self, query: str) -> Iterator[SearchResult]:
        """See Source. Ends with the last page that is allowed, or that brings nothing new.

        Raises:
            RateLimitedError: Openverse asks to wait.
            SourceError: it cannot be reached, refuses the credentials or answers in another way.
        """
        seen: set[str] = set()
        size = CLIENT_PAGE if self._is_known else ANONYMOUS_PAGE
        for number in range(1, MAX_PAGES + 1):
            page = self._page(query, number, size)
            if page is None:
                return
            filters = urlencode(self._filters(), safe=",")
            found = [image_result(about, query, filters) for about in page["results"]]
            if found and not any(found):
                raise self._api.odd(page, "none of the results has an address")
            before = len(seen)
            yield from numbered((result for result in found if result), seen)
            if len(seen) == before or self._is_last(page, number, size):
                return

    def fetch(self, result: SearchResult) -> Fetched | Outcome:
        """See Source."""
        return fetch_image(result.url, self._transport)

    def _page(self, query: str, number: int, size: int) -> dict[str, Any] | None:
        """One page; None where Openverse allows no further one."""
        values = {"q": query, "page": str(number), "page_size": str(size)} | self._filters()
        try:
            answer = self._json(self._api.address(IMAGES, values))
        except SourceError as error:
            if number > 1 and error.status in TOO_DEEP:
                return None
            raise
        if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
            raise self._api.odd(answer, "it has no results")
        return answer

    def _is_last(self, page: dict[str, Any], number: int, size: int) -> bool:
        pages = page.get("page_count")
        if isinstance(pages, int) and number >= pages:
            return True
        return not self._is_known and (number + 1) * size > ANONYMOUS_DEPTH

    def _filters(self) -> dict[str, str]:
        # Not `photo`: most of its photographs have no category, and would be left out by one.
        mature = "true" if self._config.safe_search == "off" else "false"
        return LICENSES[self._config.license] | {"mature": mature}

    def _json(self, url: str) -> Any:
        if not self._is_known:
            return self._asked(url, None)
        self._token = self._token or self._new_token()
        try:
            return self._asked(url, {"Authorization": f"Bearer {self._token}"})
        except SourceError as error:
            if error.status != 401:
                raise
        # A token lasts some hours.
        self._token = self._new_token()
        return self._asked(url, {"Authorization": f"Bearer {self._token}"})

    def _asked(self, url: str, headers: Mapping[str, str] | None) -> Any:
        try:
            return self._api.json(url, headers=headers)
        except RateLimitedError as error:
            raise slower(error) from error

    def _new_token(self) -> str:
        """For the client credentials.

        Raises:
            SourceError: there is one half of them alone, or Openverse does not know them.
        """
        hint = f"set both {CLIENT_ID} and {CLIENT_SECRET} as Openverse gave them, or none"
        if not all(self._client):
            raise SourceError("of Openverse's client credentials one half is missing", hint=hint)
        name, secret = self._client
        form = {"grant_type": "client_credentials", "client_id": name, "client_secret": secret}
        try:
            answer = self._transport.post_json(self._api.address(TOKEN), form)
        except SourceError as error:
            if error.status not in {400, 401, 403}:
                raise
            raise SourceError(
                f"{self._api.place} does not know the client credentials of {CLIENT_ID}"
                f" (HTTP {error.status})",
                hint=hint,
            ) from error
        token = clean(fields(answer).get("access_token"))
        if token is None or not (token.isascii() and token.isprintable()):
            raise SourceError(f"{self._api.place} gives no token for the client credentials")
        return token


def slower(error: RateLimitedError) -> RateLimitedError:
    """The same error with the wait that the answer's text tells; Openverse sends no Retry-After."""
    told = EXPECTED.search((error.answer or b"").decode("utf-8", "replace"))
    if error.retry_after_s is not None or told is None:
        return error
    return RateLimitedError(
        error.message,
        hint=f"run the same command again in {told[1]} s; client credentials allow more:"
        f" set {CLIENT_ID} and {CLIENT_SECRET}",
        status=error.status,
        retry_after_s=float(told[1]),
    )


def image_result(about: object, query: str, filters: str | None = None) -> SearchResult | None:
    """One result; None where it has no usable address. Pure.

    Args:
        about: of `results`.
        query: what was searched for.
        filters: what Openverse was asked to leave out.
    """
    says = fields(about)
    url = address(says.get("url"))
    if url is None:
        return None
    code, version = clean(says.get("license")), clean(says.get("license_version"))
    title, creator = clean(says.get("title")), clean(says.get("creator"))
    licence = licence_name(code, version)
    return SearchResult(
        url=url,
        query=query,
        source=OpenverseSource.name,
        rank=0,
        page_url=address(says.get("foreign_landing_url")),
        title=title,
        creator=creator,
        license=licence,
        license_url=address(says.get("license_url")) or licence_address(code, version),
        attribution=clean(says.get("attribution"))
        or attribution(title, creator, licence, "Openverse"),
        filters=filters,
        width=whole(says.get("width")),
        height=whole(says.get("height")),
    )
