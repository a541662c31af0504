"""`facegan review` as a process: who gets in, and who can hold it up."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pipeline.review.gate import DOOR
from pipeline.review.serve import CONNECTIONS, IDLE_S
from tests.review_helpers import Page, fill_faces, reviewing

pty = pytest.importorskip("pty")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fill_faces(tmp_path / "da ta", 10, pictures=1, size_px=64)
    return tmp_path / "da ta"


@contextlib.contextmanager
def on_a_terminal(root: Path, browser: str, *args: str) -> Iterator[str]:
    """The address that `facegan review` shows on a terminal; Ctrl-C at the end of the block."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "cli", "review", "--workspace", str(root), *args]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "BROWSER": browser}
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=its, env=environment
    ) as process:
        os.close(its)
        try:
            with os.fdopen(ours, "rb", 0) as terminal:
                said = b""
                while b"Ctrl-C ends" not in said:
                    said += terminal.read(1000)
                yield re.findall(r"http://\S+", said.decode())[0]
                process.send_signal(signal.SIGINT)
                process.wait(30)
        finally:
            process.kill()
    assert process.returncode == 0


@pytest.fixture
def browser(tmp_path: Path) -> str:
    """A program that only notes its command line; $BROWSER for it."""
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$@" > {shlex.quote(str(tmp_path / "told"))}\n')
    script.chmod(0o700)
    return f"{shlex.quote(str(script))} %s &"


def told_to_the_browser(tmp_path: Path) -> str:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(FileNotFoundError):
            if words := (tmp_path / "told").read_text():
                return words.strip()
        time.sleep(0.02)
    raise AssertionError("no browser was opened")


def test_browser_is_given_a_file_of_this_user_alone_that_leads_to_the_page(
    root: Path, tmp_path: Path, browser: str
) -> None:
    stranger = tmp_path / "stranger"
    stranger.write_text("as it was")
    (root / DOOR).symlink_to(stranger)  # what lies there is replaced, not followed
    with on_a_terminal(root, browser) as address:
        words = told_to_the_browser(tmp_path)
        assert words == (root / DOOR).as_uri()
        assert stat.S_IMODE((root / DOOR).lstat().st_mode) == 0o600
        leads_to = re.findall(r"url=([^\"]+)", (root / DOOR).read_text())
        assert leads_to == [address]
        assert len(Page(address).faces()) == 10
        assert len(Page(address).faces()) == 10  # in another browser
    assert not (root / DOOR).exists()
    assert stranger.read_text() == "as it was"


def test_file_for_the_browser_is_written_only_where_one_is_opened(
    root: Path, tmp_path: Path, browser: str
) -> None:
    with on_a_terminal(root, browser, "--no-open") as address:
        assert len(Page(address).faces()) == 10
        assert not (root / DOOR).exists()
    assert not (tmp_path / "told").exists()


def idle(address: str, count: int) -> contextlib.ExitStack:
    """So many connections that ask for nothing."""
    stack = contextlib.ExitStack()
    place = urlsplit(address)
    for _ in range(count):
        stack.enter_context(socket.create_connection((place.hostname, place.port), 10))
    return stack


def test_idle_connections_of_strangers_do_not_hold_the_page_up(root: Path) -> None:
    with reviewing(root) as (address, _), idle(address, 120):
        begun = time.monotonic()
        assert len(Page(address).faces()) == 10
        assert time.monotonic() - begun < IDLE_S / 2


@pytest.mark.slow
def test_page_is_answered_soon_after_more_connections_than_there_may_be(root: Path) -> None:
    with reviewing(root) as (address, _), idle(address, CONNECTIONS + 50):
        begun = time.monotonic()
        assert len(Page(address).faces()) == 10
        assert IDLE_S / 2 < time.monotonic() - begun < 2 * IDLE_S + 10


def test_nested_json_is_refused_and_the_terminal_stays_calm(root: Path) -> None:
    with reviewing(root) as (address, said):
        page = Page(address)
        assert page.post(b"[" * 500_000) == 400
        assert len(page.faces()) == 10
    assert "Traceback" not in said[1]
