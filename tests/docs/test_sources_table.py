"""The README's table of sources is the one that `facegan sources` prints."""

from pathlib import Path

from pipeline.sources.about import markdown

README = Path(__file__).parents[2] / "README.md"


def test_table_of_sources_is_up_to_date() -> None:
    assert markdown() in README.read_text(), "paste pipeline.sources.about.markdown() there"
