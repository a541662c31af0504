"""What benchmarks share: their options, whose turn it is, and a process of its own."""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

PEERS = Path.home() / ".cache" / "facegan-peers"

P = ParamSpec("P")
T = TypeVar("T")


def command_line(about: str | None) -> argparse.ArgumentParser:
    """Options of a benchmark that writes a file; `about` is its module's own text."""
    parser = argparse.ArgumentParser(description=about)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--dry", action="store_true", help="write no file")
    return parser


def add_turns(parser: argparse.ArgumentParser, quick: str) -> None:
    """How often all are called; `quick` says what `--quick` is content with."""
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help=f"{quick}, once; writes no file")


def add_programs(parser: argparse.ArgumentParser, only: str = "contenders") -> None:
    """Which are called, and where those of others are; `only` says what `--only` leaves."""
    parser.add_argument("--peers", type=Path, default=PEERS, help="environments of other programs")
    parser.add_argument("--only", nargs="+", help=f"{only}; writes no file")


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options of `add_turns`, with what `--quick` and `--only` mean for the others."""
    options = parser.parse_args()
    options.repeats = 1 if options.quick else options.repeats
    options.dry = options.dry or options.quick or bool(getattr(options, "only", None))
    return options


def rounds(names: Sequence[str], repeats: int) -> Iterator[tuple[int, str]]:
    """Every name once a round, each round beginning with another one."""
    for number in range(repeats):
        at = number % len(names)
        for name in (*names[at:], *names[:at]):
            yield number, name


def in_own_process(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `call` returns where nothing else was run before."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as other:
        return other.submit(call, *args, **kwargs).result()
