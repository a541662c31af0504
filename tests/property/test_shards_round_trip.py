import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from facegan.core.shards import Entry, open_index, read_member, read_members, write_shards

KEYS = st.text("abcXYZ019_-", min_size=1, max_size=64)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
ENTRIES = st.lists(
    st.builds(
        Entry,
        key=KEYS,
        png=st.binary(max_size=2000),
        metadata=st.dictionaries(st.text(max_size=9), JSON, max_size=3),
        split=st.sampled_from(["train", "holdout"]),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda entry: entry.key,
)


@settings(max_examples=60, deadline=None)
@given(ENTRIES, st.integers(1, 20_000), st.randoms(use_true_random=False))
def test_any_entries_come_back_in_any_order(entries, max_bytes, random):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        index = write_shards(folder, entries, image_size=8, config={}, max_bytes=max_bytes)
        assert open_index(folder) == index
        assert list(read_members(index, index.members)) == [entry.png for entry in entries]
        assert [member.key for member in index.members] == [entry.key for entry in entries]
        assert [member.split for member in index.members] == [entry.split for entry in entries]
        at = random.randrange(len(entries))
        assert read_member(index, index.members[at]) == entries[at].png
        shuffled = random.sample(index.members, len(index.members))
        by_key = {entry.key: entry.png for entry in entries}
        assert list(read_members(index, shuffled)) == [by_key[member.key] for member in shuffled]
