"""Item functions for worker processes: a module that imports fast."""

import os
import re
import signal
import time
from multiprocessing.connection import Connection

from facegan.core.errors import WorkspaceError


def double(number):
    return 2 * number


def refuse(number):
    raise WorkspaceError(f"no {number}", hint="facegan crop")


def exit_at_three(number):
    if number == 3:
        os._exit(7)
    return number


def killed_at_three(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def killed_half_way_through_what_it_sends(number):
    if number == 3:

        def half(pipe, data, write=os.write):
            write(pipe.fileno(), data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)

        Connection._send = half
    return bytes(300_000)


def killed_at_every_fourth(number):
    if number % 4 == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def slow_at_three(number):
    if number == 3:
        time.sleep(2)
    return number


def slow_and_killed_at_three(number):
    return killed_at_three(slow_at_three(number))


def killed_at_odd(number):
    if number % 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def interrupted(number):
    os.kill(os.getpid(), signal.SIGINT)
    return number


def slow_but_the_first(number):
    if number:
        time.sleep(60)
    return number


def endless_at_three(number):
    """In C and with the GIL held, as a decoder may be: no signal handler would get a turn."""
    if number == 3:
        re.match("(a+)+$", "a" * 60 + "b")
    return number


def a_tenth_of_a_second(number):
    time.sleep(0.1)
    return number


def large(number):
    return b"x" * 3_000_000 + bytes([len(number) % 256])
