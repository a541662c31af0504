"""What was taken out is remembered, in whatever spelling it comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.core import taking_out
from facegan.core.addresses import host_of, hosts_above, is_below, plain_address
from facegan.core.errors import CatalogError
from facegan.core.forget_tables import HOST, QUERY, SHA256, URL
from facegan.core.records import Outcome, Reason, SearchResult, Status
from facegan.core.scrape_tables import Added
from facegan.core.taking_out import Found, TakingOut

from .conftest import image

KEPT = Outcome(Status.KEPT)
ADA = "https://a.example/ada.jpg"


def result(url, query="artist", rank=0, **facts):
    return SearchResult(url, query, "bing", rank, **facts)


def rows(catalog):
    sql = "SELECT url, status, reason, title FROM search_results ORDER BY url, query"
    return [tuple(row) for row in catalog._db.all(sql)]


def find(tmp_path, kind, value, **options):
    with TakingOut(tmp_path / "catalog.db") as taking:
        return taking.find(kind, value, **options)


def take_out(tmp_path, kind, value, **options):
    with TakingOut(tmp_path / "catalog.db") as taking:
        taking.find(kind, value, **options)
        taking.take_out(kind, value)
        taking.finish()


# addresses


@pytest.mark.parametrize(
    "other",
    [
        "http://a.example/ada.jpg",
        "https://A.EXAMPLE:443/ada.jpg#face",
        "https://a.example./%61da.jpg",
    ],
)
def test_spellings_of_one_address_are_one(catalog, other):
    catalog.remember_forgotten(URL, [ADA])
    assert catalog.is_forgotten_address(other)
    assert catalog.is_forgotten(URL, other)


@pytest.mark.parametrize(
    "other",
    [
        "https://a.example/ADA.jpg",
        "https://a.example/ada.jpg?w=1",
        "https://a.example:8443/ada.jpg",
        "https://b.a.example/ada.jpg",
        "https://a.example/ada%2Ejpg/",
        "https://a.example:x/ada.jpg",
        "",
    ],
)
def test_other_addresses_are_others(catalog, other):
    catalog.remember_forgotten(URL, [ADA])
    assert not catalog.is_forgotten_address(other)


def test_a_host_covers_those_below_it_and_no_other(catalog):
    catalog.remember_forgotten(HOST, ["a.example", "0.0.1", "m\u00fcller.example"])
    assert catalog.is_forgotten_address("https://img.A.example:8080/x")
    assert not catalog.is_forgotten_address("https://aa.example/x")
    assert not catalog.is_forgotten_address("https://127.0.0.1/x")
    assert host_of("https://M\u00dcLLER.example/x") == "xn--mller-kva.example"
    assert not is_below("a.example", "")


def test_a_host_that_is_too_long_for_dns_is_only_itself():
    longest = "a." * 126 + "b"
    assert len(longest) == 253
    assert len(hosts_above(longest)) == 127
    for host in (f"a{longest}", "a." * 30_000 + "example"):
        assert hosts_above(host) == [host]


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_text_is_an_address_or_none(text, more):
    for url in (text, f"https://{text}/{more}", f"http://a.example/{text}?{more}#{text}"):
        plain = plain_address(url)
        assert plain_address(f"https:{plain}") == plain or not plain.startswith("//")
        assert hosts_above(host_of(url))[:1] in ([], [host_of(url)])


# new results


def test_a_forgotten_address_that_is_found_again_is_set_aside(catalog):
    catalog.remember_forgotten(URL, [ADA, "https://page.example/1"])
    catalog.remember_forgotten(HOST, ["gone.example"])
    catalog.add_results(
        [
            result("http://a.example/ada.jpg", title="Ada"),
            result("https://x.gone.example/1", title="One"),
            result("https://cdn.example/2", page_url="https://page.example/1", title="Two"),
            result("https://cdn.example/3", page_url="https://www.gone.example/", title="Three"),
            result("https://cdn.example/4", page_url="https://page.example/2", title="Four"),
        ]
    )
    assert [row[1:] for row in rows(catalog)] == [
        ("rejected", "forgotten", None),
        ("rejected", "forgotten", None),
        ("rejected", "forgotten", None),
        ("pending", None, "Four"),
        ("rejected", "forgotten", None),
    ]
    for config in ("c1", "c2"):
        left = [one.url for one in catalog.pending_results("artist", "bing", config)]
        assert left == ["https://cdn.example/4"]


def test_results_that_wait_under_another_spelling_are_set_aside(tmp_path, catalog):
    catalog.add_results([result(ADA), result("http://A.example/ada.jpg"), result("http://b/")])
    take_out(tmp_path, URL, ADA)
    assert [row[2] for row in rows(catalog)] == ["forgotten", None, "forgotten"]


def test_so_are_other_spellings_of_what_a_hash_led_to(tmp_path, catalog):
    catalog.add_results([result(ADA), result("http://A.example:80/ada.jpg"), result("http://b/")])
    catalog.record_fetch(ADA, KEPT, "s", image("a"))
    take_out(tmp_path, SHA256, "a")
    assert [row[2] for row in rows(catalog)] == ["forgotten", None, "forgotten"]


def test_waiting_results_are_compared_before_the_catalog_is_locked_and_only_where_one_goes(
    tmp_path, catalog, monkeypatch
):
    catalog.add_results([result(f"https://{n}.example/") for n in range(9)])
    catalog.record_fetch("https://0.example/", KEPT, "s", image("a"))
    catalog.remember_forgotten(URL, ["https://nowhere.example/"])
    compared = []

    def plain(url):
        assert not taking._db._db.in_transaction
        compared.append(url)
        return plain_address(url)

    monkeypatch.setattr(taking_out, "plain_address", plain)
    with TakingOut(tmp_path / "catalog.db") as taking:
        taking.find(SHA256, "unknown")
        taking.take_out(SHA256, "unknown")
        assert compared == []
        taking.find(SHA256, "a")
        assert sorted(compared) == [f"https://{n}.example/" for n in range(9)]
        taking.take_out(SHA256, "a")
        assert len(compared) == 9


# results and outcomes


def unlike(catalog):
    """Results that tell something else than the outcome of their address."""
    return catalog._db.all(
        "SELECT r.* FROM search_results AS r LEFT JOIN outcomes AS o"
        " ON o.stage = 'scrape' AND o.item = r.url WHERE r.status != coalesce(o.status, 'pending')"
        " OR r.reason IS NOT o.reason OR o.detail IS NOT NULL"
    )


def test_a_forgotten_result_has_an_outcome_without_details(tmp_path, catalog):
    failed = Outcome(Status.FAILED, Reason.TIMEOUT, "no answer of Ada's host")
    catalog.add_results([result(ADA), result("http://a.example/ada.jpg"), result("https://b/")])
    catalog.record_fetch("http://a.example/ada.jpg", failed, "s")
    take_out(tmp_path, URL, ADA)
    assert unlike(catalog) == []
    catalog.add_results([result("https://A.example/ada.jpg"), result(ADA, "poet")])
    assert unlike(catalog) == []
    assert catalog.tally("search_results").rejected == {"forgotten": 4}


def test_what_waits_is_set_aside_when_it_is_found_on_a_forgotten_page(catalog):
    catalog.remember_forgotten(URL, ["https://page.example/1"])
    catalog.add_results([result(ADA, title="Ada", page_url="https://page.example/2")])
    catalog.record_fetch(ADA, Outcome(Status.FAILED, Reason.TIMEOUT, "Ada"), "s")
    catalog.add_results([result(ADA, "poet", page_url="https://page.example/1")])
    assert [row[1:] for row in rows(catalog)] == [("rejected", "forgotten", None)] * 2
    assert unlike(catalog) == []


def test_a_result_on_a_forgotten_page_goes_alone_where_its_address_has_brought_an_image(catalog):
    catalog.remember_forgotten(URL, ["https://page.example/1"])
    catalog.add_results([result(ADA, title="Ada")])
    catalog.record_fetch(ADA, KEPT, "s", image("a"))
    added = catalog.add_results([result(ADA, "poet", page_url="https://page.example/1")])
    assert added == Added(1, 0)
    expected = [("kept", None, "Ada"), ("rejected", "forgotten", None)]
    assert [row[1:] for row in rows(catalog)] == expected
    catalog.lose_image("a")
    catalog.record_fetch(ADA, KEPT, "s", image("a"))
    assert [row[1:] for row in rows(catalog)] == expected
    assert catalog.count_images("poet", "bing") == 0
    assert catalog.add_results([result(ADA, "a singer")]) == Added(1, 1)


# what is to go


@pytest.fixture
def three(catalog):
    """Image a by two addresses of two queries, b by one query, c by a page of host p.example."""
    catalog.add_results(
        [
            result("https://x.example/a", title="A"),
            result("https://x.example/a", "poet"),
            result("https://y.example/a", "poet"),
            result("https://x.example/b"),
            result("https://x.example/c", "poet", page_url="https://p.example/c"),
            result("https://x.example/waits"),
            result("https://x.example/gone", page_url="http://P.example/gone"),
        ]
    )
    for name, sha in (("x", "a"), ("y", "a")):
        catalog.record_fetch(f"https://{name}.example/a", KEPT, "s", image(sha))
    for sha in "bc":
        catalog.record_fetch(f"https://x.example/{sha}", KEPT, "s", image(sha))
    rejected = Outcome(Status.REJECTED, Reason.HTTP_404, "HTTP 404 for Ada")
    catalog.record_fetch("https://x.example/gone", rejected, "s")


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        (URL, "http://X.example/a", Found(1, 0, 2, 0)),
        (URL, "https://p.example/c", Found(1, 0, 1, 0)),
        (URL, "https://nowhere.example/", Found(0, 0, 0, 0)),
        (SHA256, "a", Found(1, 0, 2, 0)),
        (SHA256, "z", Found(0, 0, 0, 0)),
        (HOST, "y.example", Found(1, 0, 2, 0)),
        (HOST, "p.example", Found(1, 0, 2, 0)),
        (HOST, "example", Found(3, 0, 6, 0)),
        (QUERY, "artist", Found(1, 0, 3, 1)),
        (QUERY, "poet", Found(1, 0, 1, 1)),
    ],
)
def test_what_is_to_go_is_found(tmp_path, kind, value, found):
    assert find(tmp_path, kind, value) == found


@pytest.mark.usefixtures("three")
def test_all_of_a_query_takes_what_another_one_has_found_too(tmp_path):
    assert find(tmp_path, QUERY, "artist", every=True) == Found(2, 0, 5, 0)


@pytest.mark.usefixtures("three")
def test_what_a_query_leaves_is_as_it_was(tmp_path, catalog):
    take_out(tmp_path, QUERY, "artist")
    assert catalog.is_opted_out("b")
    assert not catalog.is_opted_out("a")
    assert catalog.count_images("poet", "bing") == 2
    assert ("https://x.example/a", "kept", None, "A") in rows(catalog)
    assert not catalog.is_forgotten_address("https://x.example/a")
    assert catalog.is_forgotten_address("https://x.example/waits")


@pytest.mark.usefixtures("three")
def test_a_hash_alone_is_remembered_though_nothing_is_here(tmp_path, catalog):
    take_out(tmp_path, SHA256, "z")
    assert catalog.is_forgotten(SHA256, "z")
    assert not catalog.is_forgotten(SHA256, "y")


@pytest.mark.usefixtures("three")
def test_outcomes_tell_the_same_and_keep_no_details(tmp_path, catalog):
    take_out(tmp_path, HOST, "x.example")
    told = catalog._db.all("SELECT DISTINCT status, reason, detail FROM outcomes")
    assert [tuple(row) for row in told] == [("rejected", "forgotten", None)]
    assert catalog.tally("images").rejected == {"forgotten": 3}
    assert {row[3] for row in rows(catalog)} == {None}


@pytest.mark.usefixtures("three")
def test_taking_out_is_all_or_nothing(tmp_path, catalog):
    before = rows(catalog)
    catalog._db.all(
        "CREATE TRIGGER halt BEFORE UPDATE ON images BEGIN SELECT RAISE(FAIL, 'x'); END"
    )
    with pytest.raises(CatalogError):
        take_out(tmp_path, SHA256, "a")
    assert rows(catalog) == before
    assert catalog.rows("forgotten") == 0


def test_a_selection_is_on_record_once(catalog):
    members = [("f1", "i1", "train"), ("f1", "i2", "train"), ("f2", "", "held_out")]
    for _ in range(2):
        catalog.record_selection("s", members)
    assert catalog.rows("selections") == 3
    assert catalog.knows_selection("s")
    assert not catalog.knows_selection("")
