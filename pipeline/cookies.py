"""The cookies of result pages, kept for one call."""

from __future__ import annotations

from http.cookiejar import CookieJar

import requests
from requests.cookies import extract_cookies_to_jar, get_cookie_header
from urllib3 import BaseHTTPResponse


class Cookies:
    """A jar with the rules of requests."""

    def __init__(self) -> None:
        self._jar = CookieJar()

    def header(self, url: str) -> str | None:
        """What to send to `url`; None where there is none for it."""
        return get_cookie_header(self._jar, _request(url))  # type: ignore[no-untyped-call, no-any-return]

    def take(self, url: str, answer: BaseHTTPResponse) -> None:
        """Keep what `url` has set."""
        extract_cookies_to_jar(self._jar, _request(url), answer)  # type: ignore[no-untyped-call]


def _request(url: str) -> requests.PreparedRequest:
    return requests.Request("GET", url).prepare()
