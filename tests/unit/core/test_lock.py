import os
import signal
import subprocess
import sys
import threading

import pytest

from facegan.core import lock
from facegan.core.errors import WorkspaceError
from facegan.core.files import Workspace
from facegan.core.lock import exclusive

HOLDER = """
import sys, time
from pathlib import Path
from facegan.core.files import Workspace
from facegan.core.lock import exclusive
with exclusive(Workspace(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


def test_another_process_is_named_and_its_kill_gives_the_lock_back(workspace):
    command = [sys.executable, "-c", HOLDER, str(workspace.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        said = rf"another facegan \(pid {holder.pid}\) is working in {workspace.root}"
        with pytest.raises(WorkspaceError, match=said) as caught, exclusive(workspace):
            pass
        assert "--workspace DIR" in caught.value.hint
        holder.send_signal(signal.SIGKILL)
    with exclusive(workspace):
        pass


def test_blocks_of_one_thread_may_stand_inside_each_other(workspace):
    with exclusive(workspace):
        with exclusive(workspace), exclusive(Workspace(workspace.root / ".")):
            pass
        assert refused_elsewhere(workspace)
    assert not refused_elsewhere(workspace)


def refused_elsewhere(workspace):
    """Whether another thread cannot have the lock."""
    errors = []

    def attempt():
        try:
            with exclusive(workspace):
                pass
        except WorkspaceError as error:
            errors.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return bool(errors) and f"pid {os.getpid()}" in str(errors[0])


def test_two_workspaces_do_not_mind_each_other(workspace, tmp_path):
    (tmp_path / "other").mkdir()
    with exclusive(workspace), exclusive(Workspace(tmp_path / "other")):
        assert not refused_elsewhere(Workspace(tmp_path.parent))


def test_lock_is_given_back_after_an_error(workspace):
    with pytest.raises(KeyError), exclusive(workspace):
        raise KeyError
    assert not refused_elsewhere(workspace)
    assert lock._held == {}


def test_folder_that_is_not_there_or_cannot_be_locked_is_said_in_words(workspace, monkeypatch):
    missing = Workspace(workspace.root / "nowhere")
    with pytest.raises(WorkspaceError, match=r"cannot write .*nowhere"), exclusive(missing):
        pass

    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    with pytest.raises(WorkspaceError, match="No locks available"), exclusive(workspace):
        pass
    assert lock._held == {}
