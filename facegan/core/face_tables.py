"""The catalog's faces: what the detector found, what the rules say of it, and what a person says.

A decision made by hand is kept twice: in the face's row, and in `reviews` by the image and the
place in it, so that it survives when the image's faces are found and cut anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from facegan.core.errors import CatalogError
from facegan.core.image_tables import ImageTables
from facegan.core.records import FaceRecord, Outcome, Reason, Status
from facegan.core.review_rows import Reviews, matched, replace_review, reviews_of
from facegan.core.rows import FACE_COLUMNS, INSERT_FACE, face_of, face_values, outcomes

TAKEN_OUT_FACE = frozenset({Reason.OPTED_OUT, Reason.FORGOTTEN})
"""Reasons of faces whose image was taken out, which stands above rules and reviews."""
SET_ASIDE = frozenset(
    {Reason.UNREADABLE, Reason.OUT_OF_MEMORY, Reason.DECODER_CRASHED, Reason.DECODE_TIMEOUT}
)
"""Reasons of faces whose crop is of another size and whose image cannot be cut anew for now."""
_GONE = f"coalesce(reason, '') IN ('{Reason.OPTED_OUT}', '{Reason.FORGOTTEN}')"
_JUDGED = ("status", "reason", "detail", "cluster", "auto_reason", "auto_detail", "split")
_UPDATE = (
    f"UPDATE faces SET {', '.join(f'{name} = ?' for name in _JUDGED)}"  # noqa: S608
    f" WHERE id = ? AND NOT {_GONE}"
)

_WITHOUT_LANDMARKS = ", ".join(
    "NULL AS landmarks" if name == "landmarks" else f'"{name}"' for name in ("id", *FACE_COLUMNS)
)


@dataclass(frozen=True, slots=True)
class HashedImage:
    """What tells whether two images are copies of each other, and which is the better one."""

    phash: str
    width: int
    height: int
    bytes: int = 0
    """Of its file."""

    @property
    def bits_per_pixel(self) -> float:
        """The less a picture is compressed, the more."""
        return 8 * self.bytes / max(1, self.width * self.height)


def judged(face: FaceRecord) -> FaceRecord:
    """The face with the status, reason and detail that follow from the rules and the review.

    A face without a crop, or set aside, cannot be kept, whatever a review says.
    """
    usable = face.path and face.auto_reason not in SET_ASIDE
    if face.review is Status.REJECTED:
        return replace(face, status=Status.REJECTED, reason=Reason.REVIEWED, detail=None)
    if usable and (face.review is Status.KEPT or face.auto_reason is None):
        return replace(face, status=Status.KEPT, reason=None, detail=None)
    return replace(face, status=Status.REJECTED, reason=face.auto_reason, detail=face.auto_detail)


class FaceTables(ImageTables):
    """What the catalog knows of faces."""

    # writing

    def record_faces(
        self,
        image_sha256: str,
        faces: Sequence[FaceRecord],
        outcome: Outcome,
        config_hash: str,
        phash: str | None = None,
    ) -> None:
        """Replace an image's faces and write down what became of it in the stage `crop`.

        A face that lies where one was reviewed before takes over that decision. Nothing is
        changed where the image was taken out for good while it was in flight.

        Args:
            image_sha256: of the image.
            faces: all that were found in it.
            outcome: what became of it.
            config_hash: the settings under which that was decided.
            phash: the image's perceptual hash; None where it has none.
        """
        with self._db.transaction() as db:
            if self.is_opted_out(image_sha256):
                return
            db.execute("DELETE FROM faces WHERE image_sha256 = ?", (image_sha256,))
            reviewed = _with_reviews(faces, reviews_of(db, image_sha256))
            db.executemany(INSERT_FACE, [face_values(face) for face in reviewed])
            db.execute(*outcomes("crop", [(image_sha256, outcome)], config_hash))
            db.execute(
                "UPDATE images SET status = ?, reason = ?, phash = ? WHERE sha256 = ?",
                (outcome.status, outcome.reason, phash, image_sha256),
            )

    def update_faces(self, records: Iterable[FaceRecord]) -> None:
        """Write down what was decided of recorded faces: rules, cluster, split, and the status.

        All of it or nothing. Faces that were taken out stay so.
        """
        with self._db.transaction() as db:
            db.executemany(
                _UPDATE, ([*(getattr(face, n) for n in _JUDGED), face.id] for face in records)
            )

    def review_face(self, face_id: int, verdict: Status | None) -> FaceRecord:
        """Keep or reject a face by hand, above all rules.

        Args:
            face_id: its id.
            verdict: KEPT or REJECTED; None takes an earlier decision back.

        Returns:
            The face as it stands now. One without a crop, or set aside, stays rejected; the
            decision counts once it can be cut.

        Raises:
            CatalogError: there is no such face, or its image was taken out.
            ValueError: the verdict is no decision.
        """
        return self.review_faces({face_id: verdict})[0]

    def review_faces(self, verdicts: Mapping[int, Status | None]) -> list[FaceRecord]:
        """Decide on many faces, as `review_face` does on one: on all of them or on none.

        Args:
            verdicts: KEPT, REJECTED or None, by the face's id.

        Returns:
            The faces as they stand now, in that order.
        """
        if not {Status.KEPT, Status.REJECTED, None}.issuperset(verdicts.values()):
            raise ValueError(verdicts)
        with self._db.transaction() as db:
            return [_decide(db, *one) for one in verdicts.items()]

    # reading

    def faces(
        self, status: Status | None = Status.KEPT, *, landmarks: bool = True
    ) -> list[FaceRecord]:
        """Faces of one status (all for None), ordered by crop hash, image and position.

        Args:
            status: which faces.
            landmarks: false leaves them out: a third of the time and of the memory.
        """
        columns = "*" if landmarks else _WITHOUT_LANDMARKS
        rows = self._db.all(
            f"SELECT {columns} FROM faces WHERE ? IS NULL OR status = ?"  # noqa: S608
            ' ORDER BY sha256, image_sha256, top, "left"',
            (status, status),
        )
        return [face_of(row) for row in rows]

    def hashed_images(self) -> dict[str, HashedImage]:
        """The images that have a perceptual hash, by their SHA-256."""
        rows = self._db.all(
            "SELECT sha256, phash, width, height, bytes FROM images WHERE phash NOT NULL"
        )
        return {row["sha256"]: HashedImage(*row[1:]) for row in rows}

    def crop_files(self) -> list[tuple[str, str]]:
        """(image, path) of every crop: the image's hash, and where the crop lies."""
        rows = self._db.all("SELECT image_sha256, path FROM faces WHERE path IS NOT NULL")
        return [(row["image_sha256"], row["path"]) for row in rows]

    def kept_crops(self) -> set[str]:
        """The hashes of the kept faces' files."""
        sql = "SELECT sha256 FROM faces WHERE status = 'kept' AND sha256 IS NOT NULL"
        return {row["sha256"] for row in self._db.all(sql)}

    def page_of_faces(self, offset: int = 0, limit: int = 100) -> list[FaceRecord]:
        """Some of the faces, by their ids.

        Args:
            offset: faces to pass over.
            limit: faces at most.
        """
        rows = self._db.all("SELECT * FROM faces ORDER BY id LIMIT ? OFFSET ?", (limit, offset))
        return [face_of(row) for row in rows]

    def count_faces(self, status: Status | None = None, split: str | None = None) -> int:
        """How many faces there are, of one status and one split where these are given."""
        wanted = {"status": status, "split": split}
        given = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(("1", *(f"{name} = :{name}" for name in given)))
        return int(self._db.one(f"SELECT count(*) FROM faces WHERE {where}", given)[0])  # noqa: S608

    def count_clusters(self) -> int:
        """How many faces stand for duplicates of them."""
        sql = "SELECT count(DISTINCT cluster) AS n FROM faces WHERE auto_reason = 'duplicate'"
        return int(self._db.one(sql)["n"])


def _decide(db: sqlite3.Connection, face_id: int, verdict: Status | None) -> FaceRecord:
    face = _reviewable(db, face_id)
    replace_review(db, face, verdict)
    face = judged(replace(face, review=verdict))
    db.execute(
        "UPDATE faces SET review = ?, status = ?, reason = ?, detail = ? WHERE id = ?",
        (face.review, face.status, face.reason, face.detail, face_id),
    )
    return face


def _reviewable(db: sqlite3.Connection, face_id: int) -> FaceRecord:
    row = db.execute("SELECT * FROM faces WHERE id = ?", (face_id,)).fetchone()
    if row is None:
        raise CatalogError(f"there is no face {face_id} in the catalog", hint="facegan review")
    face = face_of(row)
    if face.reason in TAKEN_OUT_FACE:
        raise CatalogError(f"face {face_id} was taken out ({face.reason}) and stays so")
    if face.status is Status.PENDING:
        told = f"face {face_id} is not judged yet: `facegan crop` was stopped"
        raise CatalogError(told, hint="facegan status names the line that goes on with it")
    return face


def _with_reviews(faces: Sequence[FaceRecord], reviews: Reviews) -> list[FaceRecord]:
    """The faces, those that were reviewed before with their decisions."""
    verdicts = {
        number: reviews[at][2]
        for at, number in matched([face.box for face in faces], reviews).items()
    }
    return [
        judged(replace(face, review=verdicts[number])) if number in verdicts else face
        for number, face in enumerate(faces)
    ]
