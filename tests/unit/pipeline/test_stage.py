from collections import Counter
from itertools import count

import pytest

from facegan.core.events import Advanced, Finished, Started, silent
from facegan.core.records import Outcome, Reason, Status, Tally
from pipeline.executors import Processes, Serial, Threads
from pipeline.stage import as_figures, as_tally, run_stage

FATES = {
    0: Outcome(Status.KEPT),
    1: Outcome(Status.REJECTED, Reason.NO_FACE),
    2: Outcome(Status.FAILED, Reason.TIMEOUT),
}


def same(item):
    return item


def run(items, *, listener=silent, should_stop=lambda: False, save=None, **more):
    save = save or (lambda _, result: FATES[result % 3])
    executor = more.pop("executor", Serial())
    return run_stage(
        "s", items, same, save, executor, listener=listener, should_stop=should_stop, **more
    )


def test_outcomes_are_tallied_by_reason():
    tally = run(range(7))
    assert tally.as_dict() == {"kept": 3, "rejected": {"no_face": 2}, "failed": {"timeout": 2}}
    assert tally.total == 7


def test_ends_are_counted_by_status_and_by_reason_the_most_frequent_first():
    ends = Counter(
        {
            (Status.REJECTED, "too_small"): 1,
            (Status.REJECTED, "duplicate"): 3,
            (Status.FAILED, "timeout"): 2,
            (Status.KEPT, ""): 4,
        }
    )
    assert as_figures(ends) == {"rejected": 4, "failed": 2, "kept": 4}
    tally = as_tally(ends)
    assert tally == Tally(4, {"duplicate": 3, "too_small": 1}, {"timeout": 2})
    assert list(tally.rejected) == ["duplicate", "too_small"]
    assert as_tally(Counter()) == Tally()


def test_listener_hears_start_every_item_and_end():
    events = []
    run(range(3), listener=events.append, total=10, done=7, unit="face")
    assert events[0] == Started("s", 10, "face", 7)
    assert [event.done for event in events[1:-1]] == [8, 9, 10]
    assert events[-2] == Advanced("s", 10, {"kept": 1, "rejected": 1, "failed": 1})
    assert events[-1] == Finished("s")


@pytest.mark.parametrize("executor", [Serial(), Threads(2), Processes(2)])
def test_should_stop_ends_an_endless_stage_and_saves_what_was_in_flight(executor):
    saved, begun = [], []

    def items():
        for number in count():
            begun.append(number)
            yield number

    def save(item, _result):
        saved.append(item)
        return FATES[0]

    run(items(), save=save, executor=executor, should_stop=lambda: len(saved) >= 5)
    # The one that was drawn when it was time to stop is not begun.
    assert sorted(saved) == begun[:-1]


def test_finished_is_heard_when_saving_fails():
    events = []

    def save(_item, _result):
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        run(range(3), save=save, listener=events.append)
    assert events[-1] == Finished("s")
