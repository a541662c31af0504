from collections import Counter

import pytest

from facegan.core.errors import (
    BlockedError,
    NothingProducedError,
    RateLimitedError,
    SourceError,
)
from facegan.core.records import Status, Tally
from pipeline.scrape_report import (
    ScrapeReport,
    figures,
    in_short,
    nothing,
    with_short_addresses,
)

KEPT, REJECTED, FAILED = (Status.KEPT, ""), Status.REJECTED, Status.FAILED


def report(tally, **facts):
    values = {"images": 0, "results": 0, "new_bytes": 0, "seconds": 2.0, "stopped": False}
    return ScrapeReport("artist", "bing", 9, tally=tally, **values | facts)


def test_figures_name_the_commonest_reason_and_leave_out_what_is_nothing():
    ends = Counter(
        {
            KEPT: 5,
            (REJECTED, "duplicate"): 40,
            (REJECTED, "robots_txt"): 12,
            (REJECTED, "too_small"): 1,
            (FAILED, "timeout"): 3,
        }
    )
    assert figures(7, ends, 3_000_000, 2.0) == {
        "kept": 7,
        "duplicate": 40,
        "rejected": 13,
        "failed": 3,
        "robots_txt": 12,
        "MB/s": 1.5,
    }
    assert figures(0, Counter(), 0, 0.0) == {"kept": 0, "MB/s": 0.0}


def test_speed_is_of_what_this_call_kept():
    assert report(Tally(6)).images_per_s == 3.0
    assert report(Tally(6), seconds=0.0).images_per_s == 0.0


@pytest.mark.parametrize(
    ("tally", "code", "said"),
    [
        (Tally(), 7, "bing has no image for 'artist'"),
        (Tally(0, {"http_404": 2}, {"timeout": 3}), 7, "timeout 3, http_404 2"),
        (Tally(0, {}, {"timeout": 3}), 4, "none of 3 addresses for 'artist' gave an image"),
        (Tally(0, {"duplicate": 1}, {"duplicate": 1}), 7, "duplicate 2"),
    ],
)
def test_search_without_an_image_says_why(tally, code, said):
    error = nothing(report(tally))
    assert error.exit_code == code
    assert said in str(error)


@pytest.mark.parametrize(
    ("forgotten", "said"),
    [
        (3, "all 3 results of 'artist' were taken out with `facegan forget`"),
        (1, "the only result of 'artist' was taken out with `facegan forget`"),
    ],
)
def test_search_whose_results_are_all_forgotten_says_so(forgotten, said):
    error = nothing(report(Tally(), forgotten=forgotten))
    assert (str(error), error.exit_code) == (said, 7)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NothingProducedError("bing has no image for 'ada'"), "nothing found"),
        (RateLimitedError("busy", status=429), "rate limited"),
        (BlockedError("refuses", status=403), "blocked"),
        (SourceError("a.example answers with HTTP 404", status=404), "HTTP 404"),
        (SourceError("cannot reach a.example: Connection refused"), "unreachable"),
        (SourceError("not as expected", status=200), "failed"),
    ],
)
def test_trouble_has_one_or_two_words_for_a_table(error, words):
    assert in_short(error) == words


def test_addresses_in_a_sentence_lose_what_they_ask():
    long = "https://a.example/api?" + "q=ada&" * 70
    said = with_short_addresses(f"a.example answers with HTTP 500 ({long}), twice: {long}, then.")
    short = "https://a.example/api?…"
    assert said == f"a.example answers with HTTP 500 ({short}), twice: {short}, then."
    assert with_short_addresses("is it http://a.example/b.jpg?") == "is it http://a.example/b.jpg?"
