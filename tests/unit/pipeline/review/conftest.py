import pytest

from tests.review_helpers import fill_faces


@pytest.fixture(scope="package")
def filled(tmp_path_factory):
    """Twenty faces with two crops. Not to be changed."""
    return fill_faces(tmp_path_factory.mktemp("filled"), 20, pictures=2, size_px=64)


@pytest.fixture
def workspace(tmp_path):
    """Ten faces with two crops: seven are kept, two rejected, one was not cut."""
    return fill_faces(tmp_path / "data", 10, pictures=2, size_px=64)
