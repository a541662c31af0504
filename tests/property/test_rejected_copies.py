"""Faces that a rule rejects are known as copies, and change nothing for those that it keeps."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from facegan.core.records import Status
from pipeline.config import CropConfig
from pipeline.select import rejection, select
from tests.property.test_duplicates import catalogs, may_be_one

VERDICTS = st.sampled_from((None, None, Status.KEPT, Status.REJECTED))


@settings(max_examples=60, deadline=None)
@given(catalogs(), st.integers(-1, 8), st.data())
def test_rejected_faces_change_nothing_for_others_and_join_what_they_are_like(faces, bits, data):
    config = CropConfig(faces="all", duplicates=bits, min_face_px=55)
    faces = [replace(face, review=data.draw(VERDICTS)) for face in faces]
    missing = {
        face.sha256 for face in faces if rejection(face, config) and face.review is not Status.KEPT
    }
    found = of(faces, config)
    alone = of([face for face in faces if face.sha256 not in missing], config)
    for sha256, face in alone.items():
        for name in ("status", "reason", "detail", "auto_reason", "auto_detail"):
            assert getattr(found[sha256], name) == getattr(face, name)
        assert found[sha256].cluster in {face.cluster, sha256}
    leading = [face for face in found.values() if face.cluster in {None, face.sha256}]
    for face in (found[sha256] for sha256 in missing):
        assert (face.status, face.auto_reason) == (Status.REJECTED, rejection(face, config)[0])
        if face.cluster is None:
            assert not any(may_be_one(one, face, bits) for one in leading if one is not face)


def of(faces, config):
    found = {face.sha256: face for face in faces}
    return found | {face.sha256: face for face in select(faces, config, 0.1)}
