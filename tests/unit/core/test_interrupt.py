import os
import signal

import pytest

from facegan.core.interrupt import stop_on_signals


def test_first_signal_asks_to_stop_and_second_one_stops() -> None:
    told: list[str] = []
    with stop_on_signals(lambda: told.append("stopping")) as should_stop:
        assert not should_stop()
        os.kill(os.getpid(), signal.SIGTERM)
        assert should_stop()
        assert told == ["stopping"]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_handlers_of_before_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signals(lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
