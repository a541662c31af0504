from __future__ import annotations

import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facegan import placement
from facegan.placement import Placement, choose_placement, free_disk, free_memory, place_images

CPU = torch.device("cpu")
GB = 10**9
SIZES = st.integers(0, 10**14)


@pytest.mark.parametrize(
    ("decoded", "device_free", "disk_free", "expected"),
    [
        (50, 100, 0, Placement.DEVICE),
        (51, 100, 0, Placement.STREAMED),
        (8 * GB, 16 * GB - 1, 10 * GB, Placement.MAPPED),
        (8 * GB + 1, 16 * GB, 10 * GB, Placement.STREAMED),
        (1, 0, GB, Placement.STREAMED),
    ],
)
def test_the_choice_at_the_edges(decoded, device_free, disk_free, expected):
    found = choose_placement(decoded, device_free=device_free, disk_free=disk_free)
    assert found is expected


@given(decoded=SIZES, device_free=SIZES, disk_free=SIZES)
def test_room_is_left_wherever_the_images_lie(decoded, device_free, disk_free):
    found = choose_placement(decoded, device_free=device_free, disk_free=disk_free)
    if found is Placement.DEVICE:
        assert device_free - decoded >= decoded
    elif found is Placement.MAPPED:
        assert disk_free - decoded >= GB
    else:
        assert 2 * decoded > device_free


@given(decoded=SIZES, device_free=SIZES, disk_free=SIZES, more=SIZES)
def test_more_room_never_makes_the_choice_worse(decoded, device_free, disk_free, more):
    best = list(Placement)
    before = choose_placement(decoded, device_free=device_free, disk_free=disk_free)
    after = choose_placement(decoded, device_free=device_free + more, disk_free=disk_free + more)
    assert best.index(after) <= best.index(before)


@pytest.mark.parametrize(
    ("memory", "disk", "is_there", "expected", "words"),
    [
        (100, 0, False, Placement.DEVICE, ""),
        (10, 9 * GB, False, Placement.MAPPED, "half of the 0.00 MB free on cpu is too little"),
        (10, 9, True, Placement.MAPPED, "half of the 0.00 MB free on cpu is too little"),
        (10, GB, False, Placement.STREAMED, "the 1.00 GB free on the disk of"),
    ],
)
def test_the_reason_names_what_is_too_small(
    memory, disk, is_there, expected, words, tmp_path, monkeypatch
):
    monkeypatch.setattr(placement, "free_memory", lambda _: memory)
    monkeypatch.setattr(placement, "free_disk", lambda _: disk)
    found, reason = place_images(50, CPU, tmp_path, is_there=is_there)
    assert found is expected
    assert words in reason


def test_this_machine_has_memory_and_disk_left(tmp_path):
    assert free_memory(CPU) > 2**20
    assert free_disk(tmp_path / "not" / "there") > 2**20


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_gpu_has_memory_left():
    assert 0 < free_memory(torch.device("cuda")) <= torch.cuda.get_device_properties(0).total_memory


def machine(root, groups, files):
    """A root with 1,000 kB available and these control groups."""
    files = {
        "proc/meminfo": "MemTotal:   9000 kB\nMemAvailable:   1000 kB\nHugePages_Total:   0\n",
        "proc/self/cgroup": groups,
        **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        pytest.param("", {}, 1_024_000, id="no group"),
        pytest.param(
            "0::/\n", {"memory.max": "max\n", "memory.current": "5\n"}, 1_024_000, id="max"
        ),
        pytest.param(
            "0::/a\n", {"a/memory.max": "900\n", "a/memory.current": "300\n"}, 600, id="version 2"
        ),
        pytest.param(
            "0::/a/b\n", {"a/memory.max": "900\n", "a/memory.current": "300\n"}, 600, id="around"
        ),
        pytest.param(
            "0::/gone\n", {"memory.max": "900\n", "memory.current": "300\n"}, 600, id="namespace"
        ),
        pytest.param(
            "0::/a\n",
            {
                "a/memory.max": "900\n",
                "a/memory.current": "300\n",
                "a/memory.stat": "anon 100\ninactive_file 200\n",
            },
            800,
            id="idle file pages",
        ),
        pytest.param(
            "4:cpu,memory:/a\n3:cpu:/a\n0::/\n",
            {
                "memory/a/memory.limit_in_bytes": "900\n",
                "memory/a/memory.usage_in_bytes": "300\n",
            },
            600,
            id="version 1",
        ),
        pytest.param(
            "0::/a\n", {"a/memory.max": "900\n", "a/memory.current": "950\n"}, 0, id="overdrawn"
        ),
        pytest.param(
            "0::/a\n", {"a/memory.max": f"{10**12}", "a/memory.current": "0"}, 1_024_000, id="large"
        ),
    ],
)
def test_a_control_group_limits_what_is_free(groups, files, expected, tmp_path):
    assert free_memory(CPU, root=machine(tmp_path, groups, files)) == expected


def test_a_system_without_proc_counts_all_of_its_memory(tmp_path):
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert free_memory(torch.device("mps"), root=tmp_path) == pages
