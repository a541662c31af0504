from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.core.hashing import config_hash

VALUES = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text())


@given(VALUES)
def test_hash_does_not_depend_on_the_order_of_the_keys(values):
    turned = dict(reversed(values.items()))
    assert config_hash(values) == config_hash(turned)
    assert len(config_hash(values)) == 16


@given(VALUES, st.integers())
def test_hash_changes_with_a_value(values, number):
    assert config_hash(values | {"a": number}) != config_hash(values | {"a": number + 1})


def test_hash_is_the_same_in_every_release():
    values = {"path": Path("a/b"), "sizes": (1, 2), "name": "ä"}
    assert config_hash(values) == config_hash({"path": "a/b", "sizes": [1, 2], "name": "ä"})
    assert config_hash({}) == "44136fa355b3678a"


def test_hash_refuses_what_has_no_json_form():
    with pytest.raises(TypeError, match="set has no JSON form"):
        config_hash({"a": {1}})
    with pytest.raises(ValueError, match="not JSON compliant"):
        config_hash({"a": float("nan")})
