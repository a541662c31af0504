"""What is to be forgotten is told by its shape, and refused where it could be two things."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from facegan.core.catalog import Catalog
from facegan.core.errors import ConfigError, WorkspaceError
from facegan.core.files import Workspace, sha256_of
from facegan.core.lock import exclusive
from pipeline.forget import forget, plan_forget
from pipeline.forget_target import kind_of
from tests.forget_helpers import crop, filled, hash_of, kept, result


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("made") / "data")


@pytest.fixture
def workspace(made, tmp_path):
    return Workspace(shutil.copytree(made.root, tmp_path / "data"))


def test_kinds_are_told_by_their_shape():
    shapes = {
        "url": (
            "http://a.example/x y",
            "FILE:///x",
            "portrait:0/1?size=64",
            "a.example/x.jpg",
            "localhost:8000/x",
            "[::1]:8000/x",
            "/home/ada/me.jpg",
            "./me",
            "../me.jpg",
            "~/me.jpg",
        ),
        "host": (
            "a.example",
            "127.0.0.1:8000",
            "::1",
            "[::1]",
            "m\u00fcller.example",
            "a.example.",
        ),
        "sha256": ("4F2a0c11", "a" * 64, f"images/aa/{'a' * 64}.jpg", f"./my.data/{'a' * 64}.png"),
        "query": ("artist", "AC/DC", "a b.c/d", "4f2a0c1", "a" * 65, "mr bean", "localhost"),
    }
    for kind, texts in shapes.items():
        assert {text: kind_of(text) for text in texts} == dict.fromkeys(texts, kind)


def test_what_cannot_be_meant_is_refused_in_words(workspace):
    ambiguous = ["a.example", hash_of(1)[:9]]
    with Catalog(workspace.catalog) as catalog:
        catalog.add_results([result(7 + n, text) for n, text in enumerate(ambiguous)])
    for text in ambiguous:
        with pytest.raises(ConfigError, match="or a search term") as caught:
            forget(text, workspace)
        assert "--as query" in caught.value.hint
        assert plan_forget(text, workspace, kind="query").addresses == 1
    for text, kind in (("zz", "sha256"), (" ", None), ("\udcff", None), ("a b", "host")):
        with pytest.raises(ConfigError):
            forget(text, workspace, kind=kind)
    with pytest.raises(ConfigError, match="--all is for"):
        forget("a.example", workspace, kind="host", every=True)
    with pytest.raises(WorkspaceError, match="the nearest is 'artist'") as caught:
        forget("artists", workspace)
    assert "searched for here: " in caught.value.hint
    assert "'artist'" in caught.value.hint
    with pytest.raises(WorkspaceError, match="begins with 00000000"):
        forget("00000000", workspace)


def test_a_host_told_by_its_shape_must_be_one_of_here(workspace):
    assert plan_forget("img.example", workspace).images == 2
    assert plan_forget("pages.example", workspace).images == 4
    for text in ("ada.jpg", "127.0.0.1", "limg.example"):
        with pytest.raises(WorkspaceError, match=f"nothing here came from {text}") as caught:
            forget(text, workspace)
        assert "--as host bars it" in caught.value.hint
        assert plan_forget(text, workspace, kind="host").images == 0
    with Catalog(workspace.catalog) as catalog:
        assert not catalog.is_forgotten_address("https://ada.jpg/x")


def test_an_address_told_by_its_shape_must_be_one_of_here(workspace):
    typed = result(2).url.replace("picture", "pictrue")
    far = "https://2.exmaple/picture.jpg"
    for text in (typed, typed.removeprefix("https://"), far):
        with pytest.raises(WorkspaceError, match=f"nothing here came from {text}") as caught:
            forget(text, workspace)
        assert f"the nearest is {result(2).url}" in caught.value.message
        assert "--as url bars it" in caught.value.hint
    with Catalog(workspace.catalog) as catalog:
        assert not catalog.is_forgotten_address(typed)
    assert forget(typed, workspace, kind="url").plan.barred == 1
    assert forget(typed, workspace).plan.images == 0  # known by now
    with Catalog(workspace.catalog) as catalog:
        assert catalog.is_forgotten_address(typed)
    with pytest.raises(ConfigError, match="is no address"):
        forget("ada.jpg", workspace, kind="url")


def test_what_went_may_be_named_again(workspace):
    for text in ("https://pages.example/2", "pages.example"):
        assert forget(text, workspace).plan.images > 0
        assert forget(text, workspace).plan.images == 0


def test_an_address_needs_no_scheme(workspace):
    plan = plan_forget("2.example/picture.jpg", workspace)
    assert (plan.target.value, plan.images) == (result(2).url, 1)


@pytest.mark.parametrize("text", ["2.example:8000", "[::1]:80", "http://2.example:80/x"])
def test_a_port_is_refused_as_all_of_the_host_would_go(workspace, text):
    with pytest.raises(ConfigError, match="ports are not told apart") as caught:
        forget(text, workspace, kind=None if "/" not in text else "host")
    assert caught.value.hint.startswith("facegan forget ")
    assert kept(workspace) == [0, 1, 2, 3]


def test_a_path_of_the_workspace_is_its_hash(workspace):
    path = next(workspace.images.glob(f"*/{hash_of(2)}.*"))
    for text in (str(path), path.relative_to(workspace.root).as_posix()):
        assert plan_forget(text, workspace).target.value == hash_of(2)
    (face,) = [one for one in workspace.faces.glob("*/*") if one.stem == sha256_of(crop(2))]
    assert plan_forget(str(face), workspace).images == 1


@pytest.fixture
def own(workspace, tmp_path, monkeypatch):
    """The path of a file that the source folder has brought in; it is gone by now."""
    path = tmp_path / "my pictures" / "ada lovelace.jpg"
    path.parent.mkdir()
    (tmp_path / "link").symlink_to(path.parent)
    with Catalog(workspace.catalog) as catalog:
        sql = "UPDATE search_results SET url = ? WHERE url = ?"
        catalog._db.all(sql, (path.as_uri(), result(1).url))
    monkeypatch.chdir(tmp_path)
    return path


def test_the_path_of_a_file_is_the_address_that_the_folder_gave_it(workspace, own, monkeypatch):
    monkeypatch.setenv("HOME", str(own.parent))
    for text in (
        str(own),
        "my pictures/ada lovelace.jpg",
        "./link/../link/ada lovelace.jpg",
        "~/ada lovelace.jpg",
    ):
        for kind in (None, "url"):
            plan = plan_forget(text, workspace, kind=kind)
            assert (plan.target.kind, plan.target.value) == ("url", own.as_uri())
            assert plan.images == 1
    monkeypatch.chdir(own.parent)
    own.touch()
    assert plan_forget(own.name, workspace).images == 1
    with Catalog(workspace.catalog) as catalog:
        catalog.add_results([result(7, own.name)])
    with pytest.raises(ConfigError, match="can be an address or a search term"):
        plan_forget(own.name, workspace)
    assert plan_forget(own.name, workspace, kind="query").addresses == 1
    assert plan_forget(own.name, workspace, kind="url").images == 1
    assert forget(str(own), workspace).plan.images == 1
    assert forget(str(own), workspace).plan.images == 0
    assert kept(workspace) == [0, 2, 3]


def test_a_path_that_nothing_came_from_is_refused_and_can_be_barred(workspace, own):
    other = own.with_name("bea.jpg")
    with pytest.raises(WorkspaceError, match=f"nothing here came from {other}") as caught:
        forget(str(other), workspace)
    assert own.as_uri() in caught.value.message
    with pytest.raises(WorkspaceError) as caught:
        forget("my pictures/bea.jpg", workspace)
    assert "the path of a file of your own with / or ./" in caught.value.hint
    assert forget(str(other), workspace, kind="url").plan.barred == 1
    with Catalog(workspace.catalog) as catalog:
        assert catalog.is_forgotten_address(other.as_uri())
    for text in ("a/\0", "/\0"):
        with pytest.raises(ConfigError, match="text in UTF-8"):
            forget(text, workspace)


def test_a_whole_domain_of_hosts_is_never_barred(workspace):
    for text in ("example", "com", "com.", "https://com/x"):
        with pytest.raises(ConfigError, match="all hosts that end so"):
            forget(text, workspace, kind="host")
    with Catalog(workspace.catalog) as catalog:
        catalog.add_results([replace(result(7), url="http://localhost:8000/x")])
    assert plan_forget("localhost", workspace, kind="host").addresses == 1
    assert plan_forget("::1", workspace, kind="host").addresses == 0


def test_digits_of_two_hashes_are_not_enough(workspace):
    with Catalog(workspace.catalog) as catalog:
        catalog._db.all("UPDATE faces SET sha256 = 'abcdef0012' || id WHERE id < 3")
    with pytest.raises(ConfigError, match="several hashes begin with abcdef00"):
        forget("abcdef00", workspace)
    assert kept(workspace) == [0, 1, 2, 3]


def test_nothing_is_done_without_a_catalog_or_beside_another_facegan(tmp_path, workspace):
    with pytest.raises(WorkspaceError, match="no catalog"):
        forget("a.example", Workspace(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()
    with (
        ThreadPoolExecutor(1) as other,
        exclusive(workspace),
        pytest.raises(WorkspaceError, match="another facegan"),
    ):
        other.submit(forget, hash_of(1), workspace).result()
    assert kept(workspace) == [0, 1, 2, 3]
