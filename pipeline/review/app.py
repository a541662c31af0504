"""The review page's addresses, and who may ask for them.

The page shows and changes what belongs to one user of this machine, so every request must
  - name this server as its host: a stranger's domain that is made to point here does not;
  - carry the token: in the address of the first page, later in a cookie that no other site sends;
  - for changes, carry it in a header as well, which no form of another site can.
Nothing is loaded from elsewhere, what strangers wrote is text, and of their pictures it gets pixels
that were encoded here.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.core.errors import FaceganError
from facegan.core.records import Box, FaceRecord
from pipeline.forget_files import files_of
from pipeline.review.answers import COLUMNS, DECIDED, decisions_of, facts_of, row_of
from pipeline.review.desk import Desk
from pipeline.review.pictures import Pictures
from pipeline.review.thumbs import crop_file, thumb

if TYPE_CHECKING:
    from flask import Flask, Response
    from werkzeug.exceptions import HTTPException

HEADER = "X-Facegan-Token"
MAX_BODY = 1024 * 1024
MAX_PAGE = 2000
"""Faces in one answer."""
SHA256 = re.compile(r"[0-9a-f]{64}")
BOX = re.compile(r"(-?\d{1,6}),(-?\d{1,6}),(-?\d{1,6}),(-?\d{1,6})", re.ASCII)

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


def create_app(desk: Desk, gate: Gate, pictures: Pictures | None = None) -> Flask:
    """The page and what it asks for.

    Args:
        desk: the faces.
        gate: who may ask.
        pictures: decodes what faces were found in; None is by worker processes.
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
    _add_decisions(app, desk)
    _add_crops(app, desk)
    _add_pictures(app, desk, pictures or Pictures(desk.workspace))
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
        rows = [row_of(face) for face in found]
        return {"columns": COLUMNS, "rows": rows, "total": total, "steps": desk.steps}

    @app.get("/api/image/<sha256>")
    def image(sha256: str) -> Any:
        return facts_of(desk.image(sha256), desk.origin(sha256))


def _add_decisions(app: Flask, desk: Desk) -> None:
    from flask import abort, request

    def told(faces: list[FaceRecord]) -> Any:
        rows = [row_of(face, DECIDED) for face in faces]
        return {"columns": DECIDED, "rows": rows, "steps": desk.steps}

    @app.post("/api/review")
    def review() -> Any:
        wanted = decisions_of(request.get_json(silent=True))
        if wanted is None:
            abort(400)
        return told(desk.review(wanted))

    @app.post("/api/undo")
    def undo() -> Any:
        return told(desk.undo())


def _picture(data: bytes | None, name: str, kind: str) -> Any:
    """An answer that the browser may keep under its address."""
    from flask import Response, abort, request

    if data is None:
        abort(404)
    answer = Response(data, mimetype=kind)
    answer.set_etag(name)
    answer.headers["Cache-Control"] = IMMUTABLE
    return answer.make_conditional(request)


def _add_crops(app: Flask, desk: Desk) -> None:
    @app.get("/thumb/<sha256>.jpg")
    def thumbnail(sha256: str) -> Any:
        data = thumb(desk.workspace, sha256) if SHA256.fullmatch(sha256) else None
        return _picture(data, sha256, "image/jpeg")

    @app.get("/crop/<sha256>.png")
    def crop(sha256: str) -> Any:
        path = crop_file(desk.workspace, sha256) if SHA256.fullmatch(sha256) else None
        data = path.read_bytes() if path and path.is_file() else None
        return _picture(data, sha256, "image/png")


def _add_pictures(app: Flask, desk: Desk, pictures: Pictures) -> None:
    from flask import abort, request

    def path_of(sha256: str) -> Path:
        record = desk.image(sha256)
        path = next(files_of(desk.workspace, [record.path]), None) if record else None
        return path or abort(404)

    @app.get("/picture/<sha256>.jpg")
    def whole(sha256: str) -> Any:
        return _picture(pictures.whole(path_of(sha256)), sha256, "image/jpeg")

    @app.get("/part/<sha256>.jpg")
    def part(sha256: str) -> Any:
        sides = BOX.fullmatch(request.args.get("box", ""))
        if sides is None:
            abort(400)
        box = Box(*map(float, sides.groups()))
        return _picture(pictures.part(path_of(sha256), sha256, box), sha256, "image/jpeg")
