"""The review page's addresses, and who may ask for them.

The page shows and changes what belongs to one user of this machine, so every request must
  - name this server as its host: a stranger's domain that is made to point here does not;
  - carry the token: in the address of the first page, later in a cookie that no other site sends;
  - for changes, carry it in a header as well, which no form of another site can.
Nothing is loaded from elsewhere, and what strangers wrote is text.
"""

from __future__ import annotations

import hmac
import math
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from facegan.core.errors import FaceganError
from facegan.core.records import FaceRecord, SearchResult, Status
from pipeline.review.desk import Desk
from pipeline.review.thumbs import crop_file, thumb
from pipeline.sources.text import address, clean

if TYPE_CHECKING:
    from flask import Flask, Response
    from werkzeug.exceptions import HTTPException

HEADER = "X-Facegan-Token"
MAX_BODY = 64 * 1024
MAX_PAGE = 2000
"""Faces in one answer."""
SHA256 = re.compile(r"[0-9a-f]{64}")
VERDICTS = {"kept": Status.KEPT, "rejected": Status.REJECTED, None: None}

COLUMNS = (
    "id",
    "sha256",
    "image_sha256",
    "status",
    "reason",
    "detail",
    "review",
    "auto_reason",
    "auto_detail",
    "cluster",
    "score",
    "size_px",
    "sharpness",
    "exposure",
    "yaw",
    "roll",
    "padding",
    "upscale",
    "split",
)
"""What the page knows of a face, in the order in which it is told."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
IMMUTABLE = "private, max-age=31536000, immutable"
"""Crops and their thumbnails are addressed by what they hold."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may ask."""

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def address(self) -> str:
        """Of the first page."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """Cookies are shared by all ports of a host, so the name tells the port."""
        return f"facegan_review_{self.port}"

    def is_host(self, host: str) -> bool:
        """Whether a request's Host header names this server."""
        return host in {f"127.0.0.1:{self.port}", f"localhost:{self.port}"}

    def is_token(self, given: str | None) -> bool:
        """Compared in constant time."""
        return given is not None and hmac.compare_digest(given.encode(), self.token.encode())


def row_of(face: FaceRecord) -> list[Any]:
    """A face's values in the order of COLUMNS; numbers as short as the page shows them."""
    return [_plain(getattr(face, name)) for name in COLUMNS]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


def origin_of(result: SearchResult | None) -> dict[str, str | None]:
    """What the source said of a picture, as text; addresses only where they are http's."""
    if result is None:
        return {}
    texts = ("title", "creator", "license", "source", "query")
    told = {name: clean(getattr(result, name)) for name in texts}
    return told | {name: address(getattr(result, name)) for name in ("page_url", "license_url")}


def create_app(desk: Desk, gate: Gate) -> Flask:
    """The page and what it asks for.

    Args:
        desk: the faces.
        gate: who may ask.
    """
    from flask import Flask

    app = Flask("pipeline.review")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.json.ensure_ascii = True  # type: ignore[attr-defined]
    app.before_request(lambda: _refusal(gate))
    app.after_request(_with_headers)
    app.register_error_handler(FaceganError, _told)
    app.register_error_handler(404, _missing)
    _add_page(app, desk, gate)
    _add_faces(app, desk)
    _add_pictures(app, desk)
    return app


def _refusal(gate: Gate) -> Any:
    """What is answered instead; None for a request that may pass."""
    from flask import request

    if not gate.is_host(request.headers.get("Host", "")):
        return _text("this server is 127.0.0.1", 403)
    first = request.path == "/" and gate.is_token(request.args.get("token"))
    if not first and not gate.is_token(request.cookies.get(gate.cookie)):
        return _text("Open the address that `facegan review` printed, with its token.", 403)
    if request.method not in {"GET", "HEAD"} and not gate.is_token(request.headers.get(HEADER)):
        return _text("the token is missing", 403)
    return None


def _text(words: str, status: int) -> Response:
    from flask import Response

    return Response(words + "\n", status, mimetype="text/plain")


def _with_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    if response.headers.get("Cache-Control") != IMMUTABLE:
        response.headers["Cache-Control"] = "no-store"
    return response


def _told(error: FaceganError) -> Any:
    return {"error": error.message, "hint": error.hint}, 409


def _missing(error: HTTPException) -> Any:  # noqa: ARG001
    return _text("there is nothing here", 404)


def _add_page(app: Flask, desk: Desk, gate: Gate) -> None:
    from flask import make_response, redirect, render_template, request

    @app.get("/")
    def page() -> Any:
        if "token" in request.args:  # out of the address, and so out of the browser's history
            answer = make_response(redirect("/", 303))
            answer.set_cookie(gate.cookie, gate.token, httponly=True, samesite="Strict")
            return answer
        folder = str(desk.workspace.root)
        return render_template("review.html", token=gate.token, folder=folder)


def _add_faces(app: Flask, desk: Desk) -> None:
    from flask import abort, request

    @app.get("/api/faces")
    def faces() -> Any:
        offset = request.args.get("offset", 0, int)
        limit = request.args.get("limit", MAX_PAGE, int)
        if not 0 <= offset < 2**31 or not 0 < limit <= MAX_PAGE:
            abort(400)
        found, total = desk.faces(offset, limit)
        return {"columns": COLUMNS, "rows": [row_of(face) for face in found], "total": total}

    @app.get("/api/origin/<image_sha256>")
    def origin(image_sha256: str) -> Any:
        return origin_of(desk.origin(image_sha256))

    @app.post("/api/review")
    def review() -> Any:
        wish = request.get_json(silent=True)
        face_id, verdict = (
            (wish.get("id"), wish.get("verdict", "")) if isinstance(wish, dict) else (None, "")
        )
        known = isinstance(verdict, str | None) and verdict in VERDICTS
        if type(face_id) is not int or not known:
            abort(400)
        return {"columns": COLUMNS, "row": row_of(desk.review(face_id, VERDICTS[verdict]))}


def _add_pictures(app: Flask, desk: Desk) -> None:
    from flask import Response, abort, request

    def picture(data: bytes | None, sha256: str, kind: str) -> Any:
        if data is None:
            abort(404)
        answer = Response(data, mimetype=kind)
        answer.set_etag(sha256)
        answer.headers["Cache-Control"] = IMMUTABLE
        return answer.make_conditional(request)

    @app.get("/thumb/<sha256>.jpg")
    def thumbnail(sha256: str) -> Any:
        data = thumb(desk.workspace, sha256) if SHA256.fullmatch(sha256) else None
        return picture(data, sha256, "image/jpeg")

    @app.get("/crop/<sha256>.png")
    def crop(sha256: str) -> Any:
        path = crop_file(desk.workspace, sha256) if SHA256.fullmatch(sha256) else None
        data = path.read_bytes() if path and path.is_file() else None
        return picture(data, sha256, "image/png")
