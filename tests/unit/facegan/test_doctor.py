"""What a machine is found to have."""

from __future__ import annotations

import pytest

from facegan import doctor
from facegan.score.weights import FID_INCEPTION, cache_dir


@pytest.mark.parametrize("name", FID_INCEPTION.names)
def test_the_weights_are_found_under_any_of_their_names(name, monkeypatch, tmp_path):
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    missing = doctor._weights()
    assert not missing.good
    assert str(cache_dir() / FID_INCEPTION.name) in missing.text
    place = cache_dir() / name
    place.parent.mkdir(parents=True)
    with place.open("wb") as file:
        file.truncate(FID_INCEPTION.bytes)
    assert doctor._weights() == doctor.Check("inception", True, str(place))
