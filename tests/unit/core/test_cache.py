from pathlib import Path

import pytest

from facegan.core.cache import cache_dir


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    for name in ("FACEGAN_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("system", "place"),
    [
        ("linux", ".cache/facegan"),
        ("darwin", "Library/Caches/facegan"),
        ("win32", "AppData/Local/facegan/Cache"),
    ],
)
def test_each_system_has_its_place(tmp_path, system, place):
    assert cache_dir(system) == tmp_path / place


def test_the_environment_names_other_places(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_dir("linux") == tmp_path / "xdg" / "facegan"
    assert cache_dir("darwin") == tmp_path / "Library" / "Caches" / "facegan"
    assert cache_dir("win32") == tmp_path / "local" / "facegan" / "Cache"
    monkeypatch.setenv("FACEGAN_CACHE", "~/mine")
    assert {cache_dir(name) for name in ("linux", "darwin", "win32")} == {tmp_path / "mine"}


def test_a_relative_xdg_folder_does_not_count(monkeypatch, tmp_path):
    """As the XDG specification has it: the cache would move with the working folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert cache_dir("linux") == Path(tmp_path, ".cache", "facegan")
