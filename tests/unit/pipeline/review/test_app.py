"""Who may ask the review page for what, and what it answers."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import pipeline.review
from facegan.core.catalog import Catalog
from facegan.core.face_tables import SET_ASIDE
from facegan.core.records import Box, Reason, SearchResult, Status
from pipeline.review.answers import COLUMNS, facts_of, row_of
from pipeline.review.app import HEADER, create_app
from pipeline.review.desk import Desk
from pipeline.review.gate import Gate
from tests.review_helpers import TITLE, face_of

GATE = Gate(8123, "the-token", "the-room", "the-cookie", "the-seal")
HERE = "http://127.0.0.1:8123"
ROOM = f"{HERE}/the-room"


@pytest.fixture(scope="module")
def desk(filled):
    with Desk(filled) as desk:
        yield desk


@pytest.fixture
def client(desk):
    """A browser that has seen the first page. It changes nothing."""
    return browser(desk)


@pytest.fixture
def desk_of_writer(workspace):
    with Desk(workspace) as desk:
        yield desk


@pytest.fixture
def writer(desk_of_writer):
    """One that may."""
    return browser(desk_of_writer)


def browser(desk):
    client = create_app(desk, GATE).test_client()
    assert client.get("/?token=the-token", base_url=HERE).status_code == 200
    return client


def ask(client, path, **options):
    return client.get(f"{ROOM}{path}", **options)


def decide(client, body, seal=GATE.seal, path="/api/review"):
    headers = {HEADER: seal} if seal else {}
    return client.post(f"{ROOM}{path}", json=body, headers=headers)


def rows(client):
    answer = ask(client, "/api/faces").get_json()
    return [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]


# who may ask


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?token=",
        "/?token=the-tokem",
        "/?token=d\u00e9j\u00e0",
        "/?token=the-cookie",
        "/static/review.js",
        "/the-room",
        "/the-room/",
        "/the-room/?token=the-token",
        "/the-room/api/faces?token=the-token",
        "/the-room/static/review.js",
        "//the-room/api/faces",
    ],
)
def test_without_the_token_or_its_cookie_nothing_is_told(desk, path):
    answer = create_app(desk, GATE).test_client().get(path, base_url=HERE)
    assert answer.status_code == 403
    assert "facegan review" in answer.text


def test_token_is_changed_for_a_strict_cookie_that_other_servers_do_not_see(desk):
    client = create_app(desk, GATE).test_client()
    answer = client.get("/?token=the-token", base_url=HERE)
    assert answer.status_code == 200
    assert 'content="0; url=/the-room/"' in answer.text
    words = answer.headers["Set-Cookie"].split("; ")
    assert words[0] == "facegan_review_8123=the-cookie"
    assert {"HttpOnly", "SameSite=Strict", "Path=/the-room/"} == set(words[1:])
    assert ask(client, "/").status_code == 200
    assert client.get("/?token=the-token", base_url=HERE).status_code == 200  # as often as wanted
    assert client.get("/", base_url=HERE).status_code == 403


@pytest.mark.parametrize("value", [GATE.token, GATE.seal, GATE.room, "", "the-cooki\u00e9"])
def test_no_other_secret_does_for_the_cookie(desk, value):
    client = create_app(desk, GATE).test_client()
    client.set_cookie(GATE.cookie_name, value, domain="127.0.0.1", path="/")
    assert ask(client, "/api/faces").status_code == 403


def test_secrets_of_a_sitting_differ_and_are_random():
    one, other = Gate(8123), Gate(8123)
    secrets = [getattr(gate, name) for gate in (one, other)
               for name in ("token", "room", "cookie", "seal")]  # fmt: skip
    assert len(set(secrets)) == 8
    assert {len(secret) for secret in secrets} == {43}  # 32 bytes


def test_page_knows_the_seal_alone(client):
    text = ask(client, "/").text
    assert 'data-seal="the-seal"' in text
    assert not {"the-token", "the-cookie", "the-room"} & set(re.findall(r"[\w-]+", text))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8123", "127.0.0.1", "127.0.0.1:8124", "127.0.0.1:8123.a"]
)
def test_name_of_a_stranger_that_points_here_is_refused(client, host):
    for path in ("/?token=the-token", "/the-room/api/faces"):
        assert client.get(path, headers={"Host": host}).status_code == 403


def test_localhost_is_this_machine_too(desk):
    client = create_app(desk, GATE).test_client()
    answer = client.get("/?token=the-token", base_url="http://localhost:8123")
    assert answer.status_code == 200


@pytest.mark.parametrize("seal", [None, "", "the-sea", GATE.token, GATE.cookie])
@pytest.mark.parametrize("path", ["/api/review", "/api/undo"])
def test_change_without_the_seal_in_its_header_is_refused(client, filled, seal, path):
    (first, *_) = rows(client)
    assert decide(client, {"rejected": [first["id"]]}, seal, path).status_code == 403
    with Catalog(filled.catalog) as catalog:
        assert {face.review for face in catalog.faces(None)} == {None}


@pytest.mark.parametrize("path", ["/", "/api/faces", "/nowhere", "/static/review.css"])
def test_every_answer_forbids_what_comes_from_elsewhere(client, path):
    with ask(client, path) as answer:
        headers = answer.headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; img-src 'self'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"


def test_page_knows_which_faces_are_set_aside():
    script = (Path(pipeline.review.__file__).parent / "static/faces.js").read_text()
    (listed,) = re.findall(r"SET_ASIDE = (\[.*\])", script)
    assert set(json.loads(listed)) == SET_ASIDE


def test_page_names_no_other_host():
    folder = Path(pipeline.review.__file__).parent
    files = [*folder.glob("static/*"), *folder.glob("templates/*")]
    assert {path.suffix for path in files} == {".js", ".css", ".svg", ".html"}
    for path in files:
        names = re.findall(r"""(?:https?:)?//[\w.-]+\.\w+""", path.read_text())
        assert set(names) <= {"http://www.w3.org"}, path  # SVG's own name


# what is answered


def test_faces_are_told_in_parts(client):
    whole = ask(client, "/api/faces").get_json()
    parts = [ask(client, f"/api/faces?offset={n}&limit=5").get_json() for n in (0, 5, 18)]
    assert [len(part["rows"]) for part in parts] == [5, 5, 2]
    assert parts[0]["rows"] + parts[1]["rows"] == whole["rows"][:10]
    assert {part["total"] for part in parts} == {20}


@pytest.mark.parametrize("query", ["offset=-1", "limit=0", "limit=2001", f"offset={10**20}"])
def test_impossible_part_is_refused(client, query):
    assert ask(client, f"/api/faces?{query}").status_code == 400


def test_number_that_is_none_is_told_as_null():
    face = replace(face_of(0, "a", "b"), sharpness=float("nan"), yaw=float("inf"), score=0.123456)
    told = dict(zip(COLUMNS, row_of(face), strict=True))
    assert (told["sharpness"], told["yaw"], told["score"]) == (None, None, 0.1235)


def test_decision_is_in_the_catalog_at_once_and_can_be_taken_back(writer, workspace):
    (first, *_) = rows(writer)
    answer = decide(writer, {"rejected": [first["id"]]}).get_json()
    (row,) = answer["rows"]
    told = dict(zip(answer["columns"], row, strict=True))
    assert (told["status"], told["reason"], told["review"]) == ("rejected", "reviewed", "rejected")
    with Catalog(workspace.catalog) as catalog:
        (face,) = (one for one in catalog.faces(None) if one.reason is Reason.REVIEWED)
        assert (face.id, face.review) == (first["id"], Status.REJECTED)
        decide(writer, {"rules": [first["id"]]})
        assert Reason.REVIEWED not in {one.reason for one in catalog.faces(None)}


def test_many_decisions_are_one_step_that_another_page_can_undo(writer, desk_of_writer):
    ids = [row["id"] for row in rows(writer)]
    told = decide(writer, {"kept": ids[:2], "rejected": ids[2:]}).get_json()
    assert ([row[0] for row in told["rows"]], told["steps"]) == (ids, 1)
    other = browser(desk_of_writer)
    assert ask(other, "/api/faces").get_json()["steps"] == 1
    undone = decide(other, {}, path="/api/undo").get_json()
    assert ({row[0] for row in undone["rows"]}, undone["steps"]) == (set(ids), 0)
    assert {row["review"] for row in rows(other)} == {None}
    assert decide(other, {}, path="/api/undo").get_json()["rows"] == []


def test_rejected_face_is_rescued(writer, workspace):
    rejected = next(row for row in rows(writer) if row["reason"] and row["sha256"])
    decide(writer, {"kept": [rejected["id"]]})
    with Catalog(workspace.catalog) as catalog:
        kept = {face.id: face for face in catalog.faces()}
    assert kept[rejected["id"]].auto_reason == rejected["reason"]


@pytest.mark.parametrize(
    "body",
    [
        None, [], 3, "kept", {}, {"kept": []}, {"kept": 1}, {"kept": ["1"]}, {"kept": [True]},
        {"failed": [1]}, {"kept": [1], "more": []}, {"rules": [1.0]}, {"kept": [[1]]},
        {"kept": [1], "rejected": [1]}, {"kept": [1, 1]}, {"id": 1, "verdict": "kept"},
        {"rules": list(range(100_001))},
    ],
)  # fmt: skip
def test_decision_that_is_none_is_refused(client, body):
    rows(client)
    assert decide(client, body).status_code == 400


@pytest.mark.parametrize("nested", [b"[" * 500_000, b'{"kept":' * 100_000, b'{"kept":[\xff]}'])
def test_hostile_json_is_refused_and_not_a_bug_of_ours(client, nested):
    headers = {HEADER: GATE.seal, "Content-Type": "application/json"}
    answer = client.post(f"{ROOM}/api/review", data=nested, headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("face_id", [999, 0, -1, 10**30])
def test_unknown_face_is_told_in_words(client, face_id):
    rows(client)
    answer = decide(client, {"kept": [face_id]})
    assert answer.status_code == 409
    assert f"no face {face_id}" in answer.get_json()["error"]


def test_picture_is_told_as_text_and_its_addresses_are_http(client):
    told = [ask(client, f"/api/image/{row['image_sha256']}").get_json() for row in rows(client)]
    assert {one["title"] for one in told} == {TITLE}
    assert told[0]["page_url"] == "https://example.org/page/0"
    assert told[1]["page_url"] is None  # javascript:
    assert told[0]["path"].startswith("images/")
    assert (told[0]["width"], told[0]["height"]) == (640, 480)
    assert ask(client, "/api/image/nothing").get_json() == {}


def test_size_of_a_face_that_was_not_cut_is_its_boxs():
    box = Box(10.4, 10, 60, 90)
    face = replace(face_of(9, "a", "b"), size_px=None, box=box)
    told = dict(zip(COLUMNS, row_of(face), strict=True))
    assert (told["size_px"], told["box"]) == (49.6, [10, 10, 60, 90])
    odd = replace(face, box=replace(box, left=float("inf")))
    assert dict(zip(COLUMNS, row_of(odd), strict=True))["box"] is None


def test_control_characters_of_strangers_do_not_reach_the_page():
    hostile = "a\x00b\u202ec\ud800\nd"
    result = SearchResult("u", "q", "s", 0, title=hostile, license_url="data:text/html,x")
    told = facts_of(None, result)
    assert (told["title"], told["license_url"]) == ("abc d", None)


def test_pictures_are_told_and_not_kept_on_the_browsers_disk(client):
    sha256 = rows(client)[0]["sha256"]
    for path, kind in ((f"/thumb/{sha256}.jpg", "jpeg"), (f"/crop/{sha256}.png", "png")):
        answer = ask(client, path)
        assert (answer.status_code, answer.mimetype) == (200, f"image/{kind}")
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    ["/thumb/..%2f..%2fcatalog.jpg", f"/crop/{'0' * 64}.png", "/crop/x.png", "/static/../app.py"],
)
def test_no_other_file_is_served(client, path):
    assert ask(client, path).status_code == 404


def test_file_of_ones_own_is_told_as_a_path_and_is_no_address():
    told = facts_of(None, SearchResult("file:///home/me/a%20b%00.jpg", "me", "folder", 0))
    assert (told["own_file"], told["url"], told["page_url"]) == ("/home/me/a b.jpg", None, None)
    assert facts_of(None, SearchResult("https://a.example/b", "q", "s", 0))["own_file"] is None


def test_page_leaves_it_to_the_terminal_which_command_follows(client):
    text = ask(client, "/").text
    assert "press Ctrl-C in the terminal, which then names the command" in text
    assert "facegan shard" not in text


def test_workspace_name_is_text_in_the_page(tmp_path, workspace):
    odd = workspace.root.rename(tmp_path / "<b>data")
    with Desk(replace(workspace, root=odd)) as desk:
        client = browser(desk)
        assert "&lt;b&gt;data" in ask(client, "/").text
