"""Where decoded images may lie: a function of their size and of what is free."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import torch

from facegan.core.processes import on_this_machine


class Placement(StrEnum):
    """From the fastest to the one that always fits."""

    DEVICE = "device"
    """Decoded once, into the device's memory."""
    MAPPED = "mapped"
    """Decoded once, into a file that is mapped into memory."""
    STREAMED = "streamed"
    """Read and decoded for each batch."""


def choose_placement(decoded_bytes: int, *, device_free: int, disk_free: int) -> Placement:
    """The fastest placement that leaves room for everything else.

    On the device the images take half of what is free at most: networks, their optimisers and
    activations need the other half. On the disk a tenth of what is free and 1 GB besides stay for
    checkpoints and samples.

    Args:
        decoded_bytes: of all images together.
        device_free: bytes, as `free_memory` gives them.
        disk_free: bytes on the disk that would hold the file.

    >>> choose_placement(10, device_free=20, disk_free=0).value
    'device'
    >>> choose_placement(8 * 10**9, device_free=0, disk_free=10 * 10**9).value
    'mapped'
    """
    if 2 * decoded_bytes <= device_free:
        return Placement.DEVICE
    if decoded_bytes <= disk_free - disk_free // 10 - 10**9:
        return Placement.MAPPED
    return Placement.STREAMED


def place_images(
    decoded_bytes: int, device: torch.device, cache: Path, *, is_there: bool
) -> tuple[Placement, str]:
    """`choose_placement` on this machine.

    Args:
        decoded_bytes: of all images together.
        device: where they are wanted.
        cache: the folder for a decoded file.
        is_there: whether it lies there already, so that no room is needed for it.

    Returns:
        The placement, and words that say why it is no better one.
    """
    device_free, disk_free = free_memory(device), free_disk(cache)
    placement = choose_placement(decoded_bytes, device_free=device_free, disk_free=disk_free)
    memory = f", because half of the {size_text(device_free)} free on {device.type}"
    if placement is Placement.DEVICE:
        return placement, ""
    if placement is Placement.MAPPED or is_there:
        return Placement.MAPPED, f"{memory} is too little"
    disk = f"the {size_text(disk_free)} free on the disk of {cache}"
    return placement, f"{memory} is too little, and so are {disk}"


def size_text(count: int) -> str:
    """Bytes in words.

    >>> size_text(235_929_600), size_text(31_400_000_000), size_text(30_720)
    ('0.24 GB', '31 GB', '0.03 MB')
    """
    value, unit = (count / 1e9, "GB") if count >= 10**8 else (count / 1e6, "MB")
    return f"{value:,.{0 if value >= 10 else 2}f} {unit}"


def free_memory(device: torch.device, *, root: Path = Path("/")) -> int:
    """Bytes that this process can still have on a device; on the CPU and MPS the system's.

    On Linux that is MemAvailable, or less where a control group (a container) leaves less. Other
    systems tell nothing without a call of their own: there all of the memory counts. Processes
    that train together on one machine share it evenly.

    Args:
        device: where.
        root: the folder with `proc` and `sys`.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    available = _numbers(root / "proc/meminfo").get("MemAvailable:")
    if available is None:
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024
    return max(0, min([available * 1024, *_left_by_groups(root)])) // on_this_machine()


def free_disk(folder: Path) -> int:
    """Bytes free on the disk of a folder, which need not be there yet; 0 where none can be told."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _left_by_groups(root: Path) -> Iterator[int]:
    """What each control group that this process is in, with those around it, still grants."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":  # version 2
            top, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        inner = top / path.strip("/")
        for group in (inner, *inner.parents):
            if group.is_relative_to(top):
                yield from _left_by_group(group, *names)


def _left_by_group(group: Path, limit: str, usage: str, idle: str) -> Iterator[int]:
    """Limit minus usage, where there is a limit; idle file pages are given up when asked for."""
    texts = _read(group / limit).strip(), _read(group / usage).strip()
    if all(text.isdigit() for text in texts):  # a limit of "max" is none
        yield int(texts[0]) - int(texts[1]) + _numbers(group / "memory.stat").get(idle, 0)


def _numbers(path: Path) -> dict[str, int]:
    """The lines `name number ...` of a file; none where there is no such file."""
    rows = (line.split() for line in _read(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
