"""The review page's addresses, and who may ask for them.

The page shows and changes what belongs to one user of this machine, so every request must
  - name this server as its host: a stranger's domain that is made to point here does not;
  - carry the token in the address that the terminal shows, or the cookie that was given for it,
    which no other site sends and no other server of this machine is shown;
  - for changes, carry a third secret in a header, which no form of another site can.
Nothing is loaded from elsewhere, what strangers wrote is text, and of their pictures it gets pixels
that were encoded here. The browser keeps nothing on its disk, where `facegan forget` could not
reach it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.core.errors import FaceganError
from facegan.core.records import Box, FaceRecord, ImageRecord
from pipeline.forget_files import files_of
from pipeline.review.answers import COLUMNS, DECIDED, decisions_of, facts_of, row_of
from pipeline.review.desk import Desk
from pipeline.review.gate import Gate, leading_to
from pipeline.review.pictures import Pictures
from pipeline.review.thumbs import crop_file, thumb

if TYPE_CHECKING:
    from flask import Blueprint, Flask, Response
    from werkzeug.exceptions import HTTPException

HEADER = "X-Facegan-Seal"
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
    "Cache-Control": "no-store",
}


def create_app(desk: Desk, gate: Gate, pictures: Pictures | None = None) -> Flask:
    """The page and what it asks for.

    Args:
        desk: the faces.
        gate: who may ask.
        pictures: decodes what faces were found in; None is by worker processes.
    """
    from flask import Blueprint, Flask

    app = Flask("pipeline.review", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.json.ensure_ascii = True  # type: ignore[attr-defined]
    app.before_request(lambda: _refusal(gate))
    app.after_request(_with_headers)
    app.register_error_handler(FaceganError, _told)
    app.register_error_handler(404, _missing)
    _add_entrance(app, gate)
    room = Blueprint("room", "pipeline.review", static_folder="static", url_prefix=f"/{gate.room}")
    _add_page(room, desk, gate)
    _add_faces(room, desk)
    _add_decisions(room, desk)
    _add_crops(room, desk)
    _add_pictures(room, desk, pictures or Pictures(desk.workspace))
    app.register_blueprint(room)
    return app


def _refusal(gate: Gate) -> Any:
    """What is answered instead; None for a request that may pass."""
    from flask import request

    if not gate.is_host(request.headers.get("Host", "")):
        return _text("this server is 127.0.0.1", 403)
    if request.path == "/":
        may_pass = gate.is_token(request.args.get("token"))
    else:
        given = request.cookies.get(gate.cookie_name)
        may_pass = request.path.startswith(gate.folder) and gate.is_cookie(given)
    if not may_pass:
        return _text("Open the address that `facegan review` printed, with its token.", 403)
    if request.method not in {"GET", "HEAD"} and not gate.is_seal(request.headers.get(HEADER)):
        return _text("the page's header is missing", 403)
    return None


def _text(words: str, status: int) -> Response:
    from flask import Response

    return Response(words + "\n", status, mimetype="text/plain")


def _with_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


def _told(error: FaceganError) -> Any:
    return {"error": error.message, "hint": error.hint}, 409


def _missing(error: HTTPException) -> Any:  # noqa: ARG001
    return _text("there is nothing here", 404)


def _add_entrance(app: Flask, gate: Gate) -> None:
    from flask import make_response

    @app.get("/")
    def entrance() -> Any:
        # The token goes out of the address, and so out of the browser's way back.
        answer = make_response(leading_to(gate.folder, f"{gate.folder}static/icon.svg"))
        answer.set_cookie(
            gate.cookie_name, gate.cookie, path=gate.folder, httponly=True, samesite="Strict"
        )
        return answer


def _add_page(room: Blueprint, desk: Desk, gate: Gate) -> None:
    from flask import render_template

    @room.get("/")
    def page() -> Any:
        return render_template("review.html", seal=gate.seal, folder=str(desk.workspace.root))


def _add_faces(room: Blueprint, desk: Desk) -> None:
    from flask import abort, request

    @room.get("/api/faces")
    def faces() -> Any:
        offset = request.args.get("offset", 0, int)
        limit = request.args.get("limit", MAX_PAGE, int)
        if not 0 <= offset < 2**31 or not 0 < limit <= MAX_PAGE:
            abort(400)
        found, total = desk.faces(offset, limit)
        rows = [row_of(face) for face in found]
        return {"columns": COLUMNS, "rows": rows, "total": total, "steps": desk.steps}

    @room.get("/api/image/<sha256>")
    def image(sha256: str) -> Any:
        return facts_of(desk.image(sha256), desk.origin(sha256))


def _add_decisions(room: Blueprint, desk: Desk) -> None:
    from flask import abort, request

    def wish() -> Any:
        try:
            return request.get_json(silent=True)
        except RecursionError:  # brackets in brackets in brackets
            return None

    def told(faces: list[FaceRecord]) -> Any:
        rows = [row_of(face, DECIDED) for face in faces]
        return {"columns": DECIDED, "rows": rows, "steps": desk.steps}

    @room.post("/api/review")
    def review() -> Any:
        wanted = decisions_of(wish())
        if wanted is None:
            abort(400)
        return told(desk.review(wanted))

    @room.post("/api/undo")
    def undo() -> Any:
        return told(desk.undo())


def _picture(data: bytes | None, kind: str) -> Any:
    from flask import Response, abort

    return abort(404) if data is None else Response(data, mimetype=kind)


def _add_crops(room: Blueprint, desk: Desk) -> None:
    @room.get("/thumb/<sha256>.jpg")
    def thumbnail(sha256: str) -> Any:
        data = thumb(desk.workspace, sha256) if SHA256.fullmatch(sha256) else None
        return _picture(data, "image/jpeg")

    @room.get("/crop/<sha256>.png")
    def crop(sha256: str) -> Any:
        path = crop_file(desk.workspace, sha256) if SHA256.fullmatch(sha256) else None
        data = path.read_bytes() if path and path.is_file() else None
        return _picture(data, "image/png")


def _add_pictures(room: Blueprint, desk: Desk, pictures: Pictures) -> None:
    from flask import abort, request

    def found(sha256: str) -> tuple[Path, ImageRecord]:
        image = desk.image(sha256)
        path = next(files_of(desk.workspace, [image.path]), None) if image else None
        return (path, image) if path and image else abort(404)

    @room.get("/picture/<sha256>.jpg")
    def whole(sha256: str) -> Any:
        return _picture(pictures.whole(*found(sha256)), "image/jpeg")

    @room.get("/part/<sha256>.jpg")
    def part(sha256: str) -> Any:
        sides = BOX.fullmatch(request.args.get("box", ""))
        if sides is None:
            abort(400)
        box = Box(*map(float, sides.groups()))
        return _picture(pictures.part(*found(sha256), box), "image/jpeg")
