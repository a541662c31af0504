"""What the benchmark of downloads makes of its calls, its servers, and its contenders at work."""

from __future__ import annotations

import http.client
import json
import sys
import tarfile
import time

import pytest

from benchmarks import scrape, scrape_peers, scrape_servers
from benchmarks.scrape_peers import Contender, Done, Task

SECONDS = {
    "facegan": [2, 1, 30],
    "sessions": [1, 1, 1],
    "img2dataset_files": [20, 20, 20],
    "img2dataset_webdataset": [10, 8, 10],
    "img2dataset_files_unseen": [4, 4, 4],
    "img2dataset_webdataset_unseen": [5, 5, 5],
    "latency_16": [12.8, 12.8, 12.8],
    "latency_64": [3.2, 3.2, 3.2],
}


def done(seconds, count=1000, stored=()):
    return Done(count, seconds, cpu_s=3 * seconds, own_s=seconds / 2, stored=set(stored))


@pytest.fixture
def offered(tmp_path):
    return scrape_servers.draw(tmp_path / "offered", 4, 32, 32)


def ask(port, *paths):
    """The answers of one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    found = []
    for path in paths:
        connection.request("GET", path)
        answer = connection.getresponse()
        found.append((answer.status, answer.read()))
    connection.close()
    return found


def program(tmp_path, code):
    """A contender that runs `code` with its list and folder as arguments."""
    script = tmp_path / "program.py"
    script.write_text(f"import pathlib, shutil, sys, os\n_, listed, folder = sys.argv\n{code}\n")
    return Contender(
        lambda task: [sys.executable, str(script), str(task.list_file), str(task.folder)],
        scrape_peers.sha256s,
        lambda _, out: float(out),
    )


def test_figures_are_ratios_of_medians():
    figures = scrape.figures_of({name: list(map(done, all_)) for name, all_ in SECONDS.items()})
    assert figures["images_per_s_facegan"] == 500
    assert figures["images_per_s_facegan_without_start"] == 1000
    assert figures["cpu_ms_per_image"] == 6
    assert figures["vs_sessions"] == 0.5
    assert figures["vs_img2dataset"] == 5
    assert figures["vs_img2dataset_unseen"] == 2
    assert figures["latency_efficiency"] == pytest.approx(1000 / 6.4 * 0.1 / 16)
    assert figures["latency_efficiency_64"] == pytest.approx(1000 / 1.6 * 0.1 / 64)
    assert set(scrape.TARGETS) <= set(figures)


def test_contenders_have_the_names_of_the_figures(tmp_path):
    names = {name for names in scrape.PEERS.values() for name in names}
    assert set(scrape_peers.contenders(tmp_path)) == names | {"facegan"}


def test_pictures_differ_and_can_be_drawn_again(tmp_path, offered):
    again = scrape_servers.draw(tmp_path / "again", 4, 32, 32)
    files = [[path.read_bytes() for path in sorted(d.iterdir())] for d in (offered, again)]
    assert files[0] == files[1]
    assert len(set(files[0])) == 4


def test_pictures_have_the_size_that_is_said(tmp_path):
    (path,) = scrape_servers.draw(tmp_path / "large", 1).iterdir()
    assert 140_000 < path.stat().st_size < 160_000


def test_a_program_that_changes_an_image_is_no_contender(offered):
    whole = scrape_peers.sha256s(offered)
    scrape.check("good", done(1, stored=whole), offered)
    with pytest.raises(SystemExit, match="bad: 1 of 4 images are missing or changed"):
        scrape.check("bad", done(1, stored=[*list(whole)[1:], "0" * 64]), offered)


def test_a_call_is_measured_in_an_environment_without_settings(tmp_path, offered, monkeypatch):
    monkeypatch.setenv("FACEGAN_WORKERS", "1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    code = (
        "assert not {'FACEGAN_WORKERS', 'HTTPS_PROXY'} & set(os.environ)\n"
        f"shutil.copytree({str(offered)!r}, folder)\n"
        "while sum(os.times()[:2]) < 0.2: pass\n"
        "print(0.125)"
    )
    task = Task(tmp_path / "list.txt", "", tmp_path / "out", 1, 4)
    found = scrape_peers.run(program(tmp_path, code), task, tmp_path / "bytecode")
    assert found.stored == scrape_peers.sha256s(offered)
    assert 0.2 <= found.cpu_s < found.seconds + 0.1
    assert found.own_s == 0.125


def test_a_program_that_fails_ends_the_benchmark_with_its_words(tmp_path):
    failing = program(tmp_path, "sys.exit('no such thing')")
    task = Task(tmp_path / "list.txt", "", tmp_path / "out", 1, 4)
    with pytest.raises(SystemExit, match=r"ended with 1: .*no such thing"):
        scrape_peers.run(failing, task, tmp_path / "bytecode")


def test_images_of_a_webdataset_are_found_in_its_tar_files(tmp_path, offered):
    with tarfile.open(tmp_path / "00000.tar", "w") as tar:
        for path in offered.iterdir():
            tar.add(path, path.name)
        tar.add(__file__, "000000.json")
    assert scrape_peers._members(tmp_path) == scrape_peers.sha256s(offered)


def test_seconds_of_img2dataset_are_those_of_its_shards(tmp_path):
    for name, seconds in (("00000_stats.json", 1.5), ("00001_stats.json", 2.0)):
        (tmp_path / name).write_text(json.dumps({"duration": seconds}))
    assert scrape_peers._stats_seconds(tmp_path, "") == 3.5


def test_the_slow_server_begins_each_answer_late(offered):
    with scrape_servers.slow_server(offered, 0.1) as port:
        began = time.monotonic()
        found = ask(port, "/000001.jpg", "/robots.txt")
        took = time.monotonic() - began
    assert found[0] == (200, (offered / "000001.jpg").read_bytes())
    assert found[1] == (404, b"")
    assert 0.2 <= took < 2


def test_nginx_serves_the_pictures_until_the_block_ends(tmp_path, offered):
    try:
        scrape_servers.find_nginx()
    except SystemExit as error:
        pytest.skip(str(error))
    with scrape_servers.nginx(offered, tmp_path / "nginx") as port:
        found = ask(port, "/000002.jpg", "/robots.txt")
    assert found[0] == (200, (offered / "000002.jpg").read_bytes())
    assert found[1][0] == 404
    with pytest.raises(ConnectionRefusedError):
        ask(port, "/000002.jpg")


def test_nginx_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(scrape_servers.shutil, "which", lambda *_, **__: None)
    with pytest.raises(SystemExit, match="apt-get install nginx-light"):
        scrape_servers.find_nginx()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["facegan", "sessions"])
def test_contenders_of_this_environment_store_every_image(tmp_path, offered, name):
    contender = scrape_peers.contenders(tmp_path)[name]
    with scrape_servers.slow_server(offered, 0.0) as port:
        task = scrape._task(scrape_servers.addresses(offered, port), tmp_path / "out", 2)
        found = scrape_peers.run(contender, task, tmp_path / "bytecode")
    scrape.check(name, found, offered)
    assert 0 < found.own_s < found.seconds
