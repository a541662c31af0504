"""A workspace as `facegan crop` leaves it, with drawn portraits for faces; and a page to review."""

import contextlib
import http.cookiejar
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import replace
from itertools import islice
from urllib.parse import urljoin

import cv2
import numpy as np

from facegan.core.catalog import Catalog
from facegan.core.database import Database
from facegan.core.files import Workspace, content_path, sha256_of, write_bytes
from facegan.core.records import (
    Box,
    FaceRecord,
    ImageRecord,
    Outcome,
    Reason,
    SearchResult,
    Status,
)
from pipeline.images import encode_png
from pipeline.portraits import portraits

TITLE = "<b>A portrait</b> & <script>alert(1)</script>"
PICTURE = encode_png(np.full((480, 640, 3), 128, np.uint8))
"""What every face was found in: grey."""
REASONS = (Reason.BLURRED, Reason.DUPLICATE, Reason.TURNED_AWAY, Reason.TOO_DARK)


def fill_faces(root, count, *, pictures=None, size_px=128):
    """One face an image: of ten seven are kept, two rejected, and one was not cut.

    Only `pictures` different crops are drawn and stored; the other faces share them.
    """
    workspace = Workspace(root)
    workspace.create()
    crops = _crops(workspace, min(pictures or count, count), size_px)
    with Catalog(workspace.catalog) as catalog:
        for number in range(count):
            sha256 = sha256_of(f"image {number}".encode())
            _add_image(workspace, catalog, sha256, number)
            face = face_of(number, sha256, crops[number % len(crops)])
            catalog.record_faces(sha256, [face], Outcome(Status.KEPT), "c")
    return workspace


def multiply(workspace, times):
    """Every image and face of a workspace `times` more, at once: many rows, no more files."""
    database = Database(workspace.catalog)
    with database.transaction() as db:
        db.execute(
            "CREATE TEMP TABLE more AS SELECT value FROM json_each(?)", [str([*range(times)])]
        )
        db.execute(
            "INSERT INTO images (sha256, path, width, height, bytes, format)"
            " SELECT value || sha256, path, width, height, bytes, format FROM images, more"
        )
        columns = [row[1] for row in db.execute("PRAGMA table_info(faces)")]
        copied = [f'"{name}"' for name in columns if name not in {"id", "image_sha256"}]
        names = ", ".join(copied)
        db.execute(
            f"INSERT INTO faces (image_sha256, {names})"  # noqa: S608
            f" SELECT value || image_sha256, {names} FROM faces, more ORDER BY value, id"
        )
    database.close()


def kill_crop(workspace, *ids):
    """Leave these faces as a `facegan crop --margin 0.4` that was killed does: not judged."""
    with Catalog(workspace.catalog) as catalog:
        catalog.begin_crop({}, ("crop", "--margin", "0.4"), "yunet", "c")
    database = Database(workspace.catalog)
    with database.transaction() as db:
        sql = "UPDATE faces SET status = 'pending', reason = NULL, auto_reason = NULL WHERE id = ?"
        db.executemany(sql, [(face_id,) for face_id in ids])
    database.close()


def _crops(workspace, count, size_px):
    """The hashes of crops; every fourth is blurred, every seventh dark."""
    found = []
    for number, portrait in enumerate(islice(portraits(count, 5, size_px=size_px), count)):
        image = portrait.image
        if number % 4 == 3:
            image = cv2.GaussianBlur(image, (0, 0), size_px / 40)
        if number % 7 == 6:
            image = (image * 0.25).astype(np.uint8)
        data = encode_png(image)
        found.append(sha256_of(data))
        write_bytes(workspace.root / content_path("faces", found[-1], ".png"), data)
    return found


def _add_image(workspace, catalog, sha256, number):
    url = f"https://example.org/{number}.jpg"
    result = SearchResult(url, "artist", "commons", number, title=TITLE, license="CC BY 4.0")
    page = "javascript:alert(1)" if number % 2 else f"https://example.org/page/{number}"
    catalog.add_results([replace(result, page_url=page, creator="A stranger")])
    path = content_path("images", sha256, ".jpg")
    write_bytes(workspace.root / path, PICTURE)
    image = ImageRecord(sha256, path, 640, 480, 10, "jpeg")
    catalog.record_fetch(url, Outcome(Status.KEPT), "c", image)


def face_of(number, image_sha256, crop_sha256):
    """The face of one image, as the rules judge it."""
    rejected = number % 10 in {7, 8, 9}
    cut = number % 10 != 9
    reason = REASONS[number // 10 % len(REASONS)] if rejected and cut else None
    reason = reason or (Reason.TOO_SMALL if rejected else None)
    detail = f"0.{number % 100:02d} is below 0.5" if rejected else None
    share = number * 37 % 100 / 100
    return FaceRecord(
        image_sha256=image_sha256, box=Box(10, 10, 110, 130), landmarks=None,
        score=0.6 + 0.4 * share, detector="yunet",
        status=Status.REJECTED if rejected else Status.KEPT, reason=reason, detail=detail,
        path=content_path("faces", crop_sha256, ".png") if cut else None,
        sha256=crop_sha256 if cut else None,
        size_px=40 + 300 * share, sharpness=share, exposure=0.3 + share / 3,
        yaw=60 * share - 30, roll=20 * share - 10, padding=share / 10, upscale=0.5 + share,
        cluster=crop_sha256 if number % 5 in {1, 2} else None,
        auto_reason=reason, auto_detail=detail,
    )  # fmt: skip


class Page:
    """What the page's own script asks a running server for."""

    def __init__(self, address):
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar)
        (room,) = set(re.findall(r"url=(/[\w-]+/)", self.read(address)))
        self.base = urljoin(address, room)
        (self.seal,) = re.findall(r'data-seal="([\w-]+)"', self.read(self.base))

    def read(self, address):
        """The text of an answer; fails where it is none."""
        with self.opener.open(address, timeout=60) as answer:
            return answer.read().decode()

    def faces(self):
        answer = json.loads(self.read(f"{self.base}api/faces"))
        return [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]

    def decide(self, face_id, verdict):
        assert self.post(json.dumps({verdict: [face_id]}).encode()) == 200

    def post(self, body):
        """The status of the answer to a decision."""
        headers = {"Content-Type": "application/json", "X-Facegan-Seal": self.seal}
        request = urllib.request.Request(f"{self.base}api/review", body, headers)  # noqa: S310
        try:
            with self.opener.open(request, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code


@contextlib.contextmanager
def reviewing(root, *args):
    """`facegan review` as a process: yields its address; Ctrl-C at the end of the block.

    The list that is yielded with it holds its output once the block has ended.
    """
    command = [sys.executable, "-m", "cli", "review", "--no-open", "--workspace", str(root), *args]
    said = []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            first = process.stderr.readline()
            address = re.search(r"http://\S+", first)
            if address is None:
                raise AssertionError(first + process.stderr.read())
            yield address[0], said
        finally:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
            said += [out, err, process.returncode]


def result_of(said):
    """The JSON that `facegan review --json` printed."""
    return json.loads(said[0])["result"]
