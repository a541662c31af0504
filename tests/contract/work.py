"""Item functions for worker processes: a module that imports fast."""

import os
import signal
import time

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
