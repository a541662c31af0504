"""Openverse's search for images and its tokens."""

from pathlib import PurePosixPath

from tests.sources_servers import Service

CLIENT = ("the-client", "the-secret")
ANONYMOUS_PAGE, ANONYMOUS_DEPTH = 20, 240
PAGE = 50


class Openverse(Service):
    """Pages with numbers; more of them and larger ones to who has a token.

    Args:
        pictures: what every search finds.
    """

    def __init__(self, pictures, *, host="127.0.0.1"):
        super().__init__(pictures, host=host)
        self.tokens = {}
        """Of what was given out: whether it still opens."""

    def api(self, asked):
        if asked.path == "/v1/auth_tokens/token/":
            return self._token(asked.form)
        if asked.path != "/v1/images/":
            return None
        values = asked.values
        bearer = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if bearer and not self.tokens.get(bearer):
            return 401, {"detail": "Invalid token."}
        page, size = int(values.get("page", 1)), int(values.get("page_size", 20))
        most, depth = (PAGE, 10_000) if bearer else (ANONYMOUS_PAGE, ANONYMOUS_DEPTH)
        if size > most:
            return 401, {"detail": {"page_size": [f"not more than {most}"]}}
        if page * size > depth:
            return 401, {"detail": {"page": ["too deep"]}}
        names = self.names[(page - 1) * size : page * size]
        count = min(len(self.names), depth)
        return 200, {
            "result_count": count,
            "page_count": -(-count // size),
            "page_size": size,
            "page": page,
            "results": [self._result(name, at) for at, name in enumerate(names)],
        }

    def _token(self, form):
        wanted = {"grant_type": "client_credentials", "client_id": CLIENT[0]}
        if form != wanted | {"client_secret": CLIENT[1]}:
            return 401, {"error": "invalid_client"}
        token = f"token-{len(self.tokens)}"
        self.tokens[token] = True
        return 200, {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": 36000,
            "scope": "read write",
        }

    def _result(self, name, at):
        title = PurePosixPath(name).stem
        width, height = self.size(name)
        return {
            "id": f"00000000-0000-0000-0000-{at:012}",
            "title": title,
            "url": self.address(name),
            "foreign_landing_url": self.page(name),
            "creator": "Ada Painter",
            "creator_url": f"{self.base_url}/people/ada",
            "license": "by-sa",
            "license_version": "2.0",
            "license_url": "https://creativecommons.org/licenses/by-sa/2.0/",
            "attribution": f'"{title}" by Ada Painter is licensed under CC BY-SA 2.0.',
            "provider": "flickr",
            "source": "flickr",
            "category": "photograph",
            "mature": False,
            "width": width,
            "height": height,
            "tags": [{"name": "portrait", "accuracy": None}],
            "fields_matched": ["title"],
        }
