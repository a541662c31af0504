import json

import pytest

from facegan.core import image_tables, scrape_tables
from facegan.core.records import FaceRecord, Outcome, Reason, Status
from facegan.core.scrape_tables import Added, Fetch

from .conftest import image, result

KEPT = Outcome(Status.KEPT, ms=2.5)
FAILED = Outcome(Status.FAILED, Reason.TIMEOUT)
SMALL = Outcome(Status.REJECTED, Reason.TOO_SMALL)
DUPLICATE = Outcome(Status.REJECTED, Reason.DUPLICATE)


def pending(catalog, config="c", query="artist", **more):
    return [found.url for found in catalog.pending_results(query, "bing", config, **more)]


def call(catalog, query="artist"):
    return catalog.begin_scrape(query, "bing", {"limit": 3}, "facegan/0.1")


def standing(catalog, sha, query="artist"):
    (found,) = catalog.standings([sha], query, "bing").values()
    return found


# results


def test_results_are_added_once_by_address_query_and_source(catalog):
    assert catalog.add_results([result("u", 0), result("v", 1), result("u", 2)]) == Added(2, 0)
    assert catalog.add_results([result("u"), result("u", query="poet")]) == Added(1, 0)
    assert pending(catalog) == ["u", "v"]


def test_known_addresses_of_a_query_are_counted(catalog):
    catalog.add_results([result("u"), result("v"), result("w", query="poet")])
    assert catalog.count_known(["u", "w", "x'"], "artist", "bing") == 1
    assert catalog.count_known(["u"], "artist", "met") == 0


def test_results_keep_everything_that_the_source_said(catalog):
    facts = {"page_url": "p", "title": "t", "creator": "c", "license": "CC0", "filters": "+f"}
    full = result("u", 3, width=3, height=4, **facts)
    catalog.add_results([full])
    assert list(catalog.pending_results("artist", "bing", "c")) == [full]


def test_number_that_is_too_large_for_the_catalog_is_left_out(catalog):
    catalog.add_results([result("u", width=10**30, height=-(10**30)), result("v", width=2**63 - 1)])
    first, second = catalog.pending_results("artist", "bing", "c")
    assert (first.width, first.height, second.width) == (None, None, 2**63 - 1)


def test_new_results_are_pending_before_failed_ones_and_those_of_another_configuration(catalog):
    catalog.add_results([result(url, n) for n, url in enumerate("abcd")])
    catalog.record_fetch("a", KEPT, "c1", image())
    catalog.record_fetch("b", SMALL, "c1")
    catalog.record_fetch("c", FAILED, "c1")
    assert pending(catalog, "c1") == ["d", "c"]
    assert pending(catalog, "c2") == ["d", "c", "b"]
    assert catalog.count_pending("artist", "bing", "c1") == 2
    assert catalog.count_pending("artist", "bing", "c2") == 3
    assert catalog.count_pending("poet", "bing", "c2") == 0


def test_duplicates_are_pending_under_no_configuration(catalog):
    catalog.add_results([result("a")])
    catalog.record_fetch("a", DUPLICATE, "c1", image())
    assert pending(catalog, "c2") == []


def test_what_a_call_has_tried_it_is_not_given_again(catalog):
    catalog.add_results([result(url) for url in "ab"])
    first, second = call(catalog), call(catalog)
    catalog.record_fetch("a", FAILED, "c", scrape=first)
    assert pending(catalog, call=first) == ["b"]
    assert pending(catalog, call=second) == ["b", "a"]


def test_pending_results_are_read_page_by_page_while_they_are_worked_off(catalog, monkeypatch):
    monkeypatch.setattr(image_tables, "PAGE", 2)
    catalog.add_results([result(str(n), n) for n in range(7)])
    number = call(catalog)
    seen = []
    for found in catalog.pending_results("artist", "bing", "c", call=number):
        seen.append(found.url)
        catalog.record_fetch(found.url, FAILED, "c", scrape=number)
    assert seen == [str(n) for n in range(7)]


def test_results_after_an_id_are_those_that_were_added_since(catalog):
    assert catalog.newest_result() == 0
    catalog.add_results([result("a")])
    newest = catalog.newest_result()
    catalog.add_results([result("a"), result("b")])
    assert pending(catalog, after=newest) == ["b"]


def plan(catalog, sql):
    """How SQLite goes about a statement."""
    names = ("query", "source", "config_hash", "call", "after", "newest", "scrape")
    steps = catalog._db.all(f"EXPLAIN QUERY PLAN {sql}", dict.fromkeys(names, 1))
    return " ".join(step["detail"] for step in steps)


BY_QUERY = "INDEX search_results_by_query (query=? AND source=? AND status=? AND rowid>?)"


def test_a_page_of_results_is_found_by_an_index_and_not_sorted(catalog):
    for status, condition in scrape_tables.DUE.items():
        rule = f"{scrape_tables.OF_QUERY} AND {condition}"
        steps = plan(catalog, image_tables.page_sql("*", status, rule, "search_results"))
        assert BY_QUERY in steps
        assert "TEMP B-TREE" not in steps
        assert "SCAN" not in steps


def test_a_page_of_images_is_found_by_an_index_and_not_sorted(catalog):
    table = "search_results JOIN images ON sha256 = image_sha256"
    rule = f"{scrape_tables.OF_QUERY} AND NOT {image_tables.TAKEN_OUT}"
    steps = plan(catalog, image_tables.page_sql("path", Status.KEPT, rule, table))
    assert BY_QUERY in steps
    assert "TEMP B-TREE" not in steps
    assert "SCAN" not in steps


@pytest.mark.parametrize("sql", [scrape_tables.ADOPT_FATE, scrape_tables.NEW_IMAGES])
def test_a_batch_looks_at_its_own_rows_and_not_at_all_that_are_there(catalog, sql):
    steps = plan(catalog, sql)
    assert "USING INTEGER PRIMARY KEY (rowid>?)" in steps
    assert "SCAN new" not in steps
    assert "SCAN search_results" not in steps


# another query's fate


def test_an_address_known_from_another_query_takes_up_its_fate(catalog):
    number = call(catalog)
    catalog.add_results([result("a")])
    catalog.record_fetch("a", KEPT, "c", image(), scrape=number)
    assert catalog.add_results([result("a", query="poet")]) == Added(1, 1)
    assert catalog.count_images("poet", "bing") == 1
    assert pending(catalog, query="poet") == []
    row = catalog._db.one("SELECT status, scrape FROM search_results WHERE query = 'poet'")
    assert tuple(row) == ("kept", number)


def test_an_image_that_two_addresses_bring_to_a_query_counts_once(catalog):
    catalog.add_results([result("a"), result("b")])
    catalog.record_fetch("a", KEPT, "c", image())
    catalog.record_fetch("b", DUPLICATE, "c", image())
    added = catalog.add_results([result("a", query="poet"), result("b", query="poet")])
    assert added == Added(2, 1)
    assert catalog.count_images("poet", "bing") == 1


def test_a_failure_of_another_query_is_pending(catalog):
    catalog.add_results([result("a")])
    catalog.record_fetch("a", FAILED, "c", scrape=call(catalog))
    assert catalog.add_results([result("a", query="poet")]) == Added(1, 0)
    assert pending(catalog, query="poet", call=call(catalog, "poet")) == ["a"]


# images


def test_identical_bytes_are_one_image(catalog):
    catalog.add_results([result("a", 0), result("b", 1)])
    catalog.record_fetch("a", KEPT, "c", image("s"))
    catalog.record_fetch("b", KEPT, "c", image("s"))
    assert catalog.rows("images") == 1
    assert catalog.count_images("artist", "bing") == 1
    assert set(catalog.image_paths()) == {"s"}


def test_many_addresses_are_written_down_at_once(catalog):
    number = call(catalog)
    catalog.add_results([result(f"u{n}", n) for n in range(600)])
    outcomes = [KEPT, FAILED, SMALL]
    catalog.record_fetches(
        [
            Fetch(f"u{n}", outcomes[n % 3], image(f"s{n}") if n % 3 == 0 else None)
            for n in range(300)
        ],
        "c",
        number,
    )
    tally = catalog.tally("search_results")
    assert tally.as_dict() == {
        "kept": 100,
        "rejected": {"too_small": 100},
        "failed": {"timeout": 100},
    }
    assert catalog.rows("images") == 100
    assert catalog.rows("outcomes") == 300
    assert catalog.count_pending("artist", "bing", "c") == 400
    shas = [f"s{n}" for n in range(300)]
    known = [sha for sha, it in catalog.standings(shas, "artist", "bing").items() if it.known]
    assert known == shas[::3]


def test_standing_of_bytes(catalog):
    catalog.add_results([result("a"), result("b", query="poet")])
    new = standing(catalog, "s", "artist")
    assert (new.taken_out, new.known, new.counted) == (None, False, False)
    catalog.record_fetch("a", KEPT, "c", image("s"))
    own, other = (standing(catalog, "s", query) for query in ("artist", "poet"))
    assert (own.known, own.counted, other.known, other.counted) == (True, True, True, False)


def test_standing_of_bytes_that_were_taken_out_or_forgotten(catalog):
    catalog.add_results([result("a")])
    catalog.record_fetch("a", KEPT, "c", image("s"))
    with catalog._db.transaction() as db:
        db.execute("UPDATE images SET status = 'rejected', reason = 'opted_out'")
    assert standing(catalog, "s", "artist").taken_out is Reason.OPTED_OUT
    catalog.remember_forgotten("sha256", ["t"])
    assert standing(catalog, "t", "artist").taken_out is Reason.FORGOTTEN


def test_images_of_a_query_and_of_a_call_are_listed(catalog, monkeypatch):
    monkeypatch.setattr(image_tables, "PAGE", 1)
    first, second = call(catalog), call(catalog)
    catalog.add_results([result(url) for url in "abcd"])
    catalog.record_fetch("a", KEPT, "c", image("s"), scrape=first)
    catalog.record_fetch("b", KEPT, "c", image("t"), scrape=second)
    catalog.record_fetch("c", DUPLICATE, "c", image("s"), scrape=second)
    catalog.record_fetch("d", FAILED, "c", scrape=second)
    assert [i.sha256 for i in catalog.stored_images("artist", "bing")] == ["s", "t", "s"]
    assert [i.sha256 for i in catalog.fetched_images(second)] == ["t", "s"]
    assert next(iter(catalog.fetched_images(second))) == image("t")
    with catalog._db.transaction() as db:
        db.execute("UPDATE images SET status = 'rejected', reason = 'opted_out'")
    assert list(catalog.stored_images("artist", "bing")) == []


def test_lost_image_is_fetched_again_by_every_address_that_led_to_it(catalog):
    catalog.add_results([result("a"), result("b"), result("a", query="poet")])
    catalog.record_fetch("a", KEPT, "c", image("s"))
    catalog.record_fetch("b", DUPLICATE, "c", image("s"))
    catalog.record_faces("s", [], Outcome(Status.REJECTED, Reason.NO_FACE), "crop")
    assert catalog.lose_image("s")
    assert not catalog.lose_image("s")
    assert pending(catalog) == ["a", "b"]
    assert pending(catalog, query="poet") == ["a"]
    assert catalog.count_images("artist", "bing") == catalog.rows("images") == 0
    assert catalog.tally("search_results").failed == {"unreadable": 3}
    assert not standing(catalog, "s", "artist").known
    catalog.record_fetch("a", KEPT, "c", image("s"))
    assert [i.sha256 for i in catalog.pending_images("crop", "crop")] == ["s"]


def test_faces_of_a_lost_image_stay(catalog):
    catalog.add_results([result("a")])
    catalog.record_fetch("a", KEPT, "c", image("s"))
    face = FaceRecord("s", None, None, None, "haar", Status.KEPT, path="faces/c.png", sha256="c")
    catalog.record_faces("s", [face], KEPT, "crop")
    assert catalog.lose_image("s")
    assert catalog.kept_crops() == {"c"}
    assert catalog.image("s")
    assert not standing(catalog, "s", "artist").known


# calls


def test_calls_are_written_down_with_their_settings(catalog):
    first, second = call(catalog), call(catalog, "poet")
    assert catalog.unended_scrapes() == [first, second]
    catalog.end_scrape(first)
    assert catalog.unended_scrapes() == [second]
    row = catalog._db.one("SELECT * FROM scrapes WHERE id = ?", (first,))
    assert (row["query"], row["source"], row["agent"]) == ("artist", "bing", "facegan/0.1")
    assert json.loads(row["settings"]) == {"limit": 3}
    assert row["began_at"] <= row["ended_at"]


def test_settings_of_a_querys_calls_are_told_once_each_in_their_order(catalog):
    for query, source, limit in [("a", "bing", 3), ("a", "bing", 2), ("b", "bing", 9)] * 2:
        catalog.begin_scrape(query, source, {"limit": limit}, "facegan/0.1")
    catalog.begin_scrape("a", "met", {"limit": 1}, "facegan/0.1")
    assert catalog.scrape_settings("a", "bing") == [{"limit": 3}, {"limit": 2}]
    assert catalog.scrape_settings("c", "bing") == []


def test_each_result_names_the_call_that_fetched_it(catalog):
    catalog.add_results([result("a")])
    for number in (call(catalog), call(catalog)):
        catalog.record_fetch("a", FAILED, "c", scrape=number)
        assert catalog._db.one("SELECT scrape FROM search_results")[0] == number
