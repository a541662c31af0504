"""Which run goes on, with which settings, and when a new one begins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from facegan.core.errors import CheckpointError, ConfigError
from facegan.resume import changed_settings, find, same_runs
from facegan.runs import create, list_runs, read_run
from tests.train_helpers import DATA, reach

OTHER = DATA | {"selection": "c" * 64, "sha256": "d" * 64}


def goes_on(runs, config, data, **arguments):
    """The folder of the run that goes on; None when a new one begins."""
    found = find(runs, config, data, **arguments)
    return found and found.folder


def test_what_auto_stands_for_is_that_of_the_run(runs, tiny):
    stored = replace(tiny, device="cuda", engine="captured", precision="bf16")
    run = create(runs, stored, DATA)
    wanted = replace(tiny, device="auto", engine="auto", precision="auto")
    found = find(runs, wanted, DATA)
    assert found is not None
    assert found.folder == run.folder
    assert found.config == replace(stored, engine="auto")
    assert find(runs, replace(wanted, precision="fp32"), DATA) is None


def test_another_device_has_a_precision_of_its_own(runs, tiny):
    run = create(runs, replace(tiny, device="cuda", precision="bf16"), DATA)
    wanted = replace(run.config, device="cpu")
    found = find(runs, wanted, DATA, resume=run.folder.name, override=True)
    assert found is not None
    assert found.config.precision == "auto"


@pytest.mark.parametrize(
    "change",
    [{"engine": "captured"}, {"keep_every": 10}, {"checkpoint_every": 3}, {"sample_every": 9}],
    ids=str,
)
def test_how_it_is_run_and_what_it_leaves_may_change(runs, tiny, change):
    run = create(runs, tiny, DATA)
    found = find(runs, replace(tiny, **change), DATA)
    assert found is not None
    assert found.folder == run.folder
    assert found.config == replace(tiny, **change)


def test_an_unfinished_run_of_the_same_settings_goes_on(runs, tiny):
    run = create(runs, tiny, DATA)
    assert goes_on(runs, tiny, DATA) == run.folder
    reach(run, 5)
    assert goes_on(runs, tiny, DATA) == run.folder


def test_the_newest_of_them_goes_on(runs, tiny):
    create(runs, tiny, DATA)
    newest = create(runs, tiny, DATA)
    assert goes_on(runs, tiny, DATA) == newest.folder


def test_a_finished_run_is_left_alone(runs, tiny):
    run = create(runs, tiny, DATA)
    reach(run, tiny.iters)
    assert find(runs, tiny, DATA) is None
    assert create(runs, tiny, DATA).folder != run.folder


def test_a_checkpoint_that_was_cut_short_does_not_finish_a_run(runs, tiny):
    run = create(runs, tiny, DATA)
    reach(run, 5)
    reach(run, tiny.iters)
    (run.checkpoints / f"iter-{tiny.iters:08d}.safetensors").write_bytes(b"12")
    assert run.reached == 5
    assert goes_on(runs, tiny, DATA) == run.folder


def test_iters_may_grow(runs, tiny):
    run = create(runs, tiny, DATA)
    reach(run, tiny.iters)
    longer = replace(tiny, iters=2 * tiny.iters)
    for resume in (None, "1"):
        found = find(runs, longer, DATA, resume=resume)
        assert found is not None
        assert found.folder == run.folder
        assert found.config.iters == longer.iters


@pytest.mark.parametrize("change", [{"batch": 8}, {"seed": 1}, {"name": "other"}, {"jitter": 0.0}])
def test_a_changed_setting_begins_a_new_run(runs, tiny, change):
    create(runs, tiny, DATA)
    assert find(runs, replace(tiny, **change), DATA) is None


def test_other_faces_begin_a_new_run(runs, tiny):
    create(runs, tiny, DATA)
    assert find(runs, tiny, OTHER) is None


def test_restart_begins_a_new_run(runs, tiny):
    create(runs, tiny, DATA)
    assert goes_on(runs, tiny, DATA, restart=True) is None


def test_device_auto_takes_the_runs_device(runs, tiny):
    create(runs, replace(tiny, device="mps"), DATA)
    found = find(runs, replace(tiny, device="auto"), DATA)
    assert found is not None
    assert found.config.device == "mps"
    assert find(runs, tiny, DATA) is None


@pytest.mark.parametrize("name", ["00001-32px", "1", "00001"])
def test_resume_takes_a_name_or_a_number(runs, tiny, name):
    run = create(runs, tiny, DATA)
    create(runs, tiny, DATA)
    assert goes_on(runs, tiny, DATA, resume=name) == run.folder


def test_resume_takes_a_path(runs, tiny):
    run = create(runs, tiny, DATA)
    assert goes_on(runs, tiny, DATA, resume=str(run.folder)) == run.folder


def test_resume_suggests_the_nearest_name(runs, tiny):
    create(runs, replace(tiny, name="faces"), DATA)
    with pytest.raises(CheckpointError, match="no run '00001-fces'") as caught:
        find(runs, tiny, DATA, resume="00001-fces")
    assert "the nearest is 00001-faces" in caught.value.message


def test_resume_refuses_changed_settings_and_faces_by_name(runs, tiny):
    create(runs, tiny, DATA)
    changed = replace(tiny, batch=8, model=replace(tiny.model, width=0.125))
    with pytest.raises(ConfigError) as caught:
        find(runs, changed, OTHER, resume="1")
    lines = caught.value.message.splitlines()
    assert "--width is 0.125: the run 00001-32px has 0.0625" in lines
    assert "--batch is 8: the run 00001-32px has 4" in lines
    assert any("other faces" in line for line in lines)
    assert "--override" in caught.value.hint


def test_override_takes_the_change_and_records_it(runs, tiny):
    run = create(runs, tiny, DATA)
    reach(run, 5)
    found = find(runs, replace(tiny, batch=8), OTHER, resume="1", override=True)
    assert found is not None
    found.store()
    stored = read_run(run.folder)
    assert stored.config.batch == 8
    assert stored.data == OTHER
    assert stored.overrides == ({"iteration": 5, "changed": {"--batch": 8, "data": OTHER}},)


def test_override_cannot_change_the_networks(runs, tiny):
    create(runs, tiny, DATA)
    changed = replace(tiny, model=replace(tiny.model, width=0.125))
    with pytest.raises(ConfigError, match=r"--width is 0\.125"):
        find(runs, changed, DATA, resume="1", override=True)


def test_resume_ignores_a_name_that_was_not_given(runs, tiny):
    create(runs, replace(tiny, name="faces"), DATA)
    found = find(runs, tiny, DATA, resume="1")
    assert found is not None
    assert found.config.name == "faces"


def test_resume_refuses_iters_that_are_done(runs, tiny):
    run = create(runs, tiny, DATA)
    reach(run, 10)
    with pytest.raises(ConfigError, match="--iters is 7: the run 00001-32px has done 10"):
        find(runs, replace(tiny, iters=7), DATA, resume="1")


@pytest.mark.parametrize(
    "arguments", [{"resume": "1", "restart": True}, {"override": True}], ids=str
)
def test_arguments_that_exclude_each_other_are_refused(runs, tiny, arguments):
    with pytest.raises(ConfigError):
        find(runs, tiny, DATA, **arguments)


def test_a_damaged_run_is_passed_over_and_named_when_asked_for(runs, tiny):
    run = create(runs, tiny, DATA)
    (run.folder / "config.json").write_text("{")
    assert list_runs(runs) == []
    assert find(runs, tiny, DATA) is None
    with pytest.raises(CheckpointError, match=r"cannot read .*config\.json"):
        find(runs, tiny, DATA, resume="1")


def test_same_runs_are_found_finished_or_not(runs, tiny):
    first = create(runs, tiny, DATA)
    reach(first, tiny.iters)
    second = create(runs, tiny, DATA)
    create(runs, replace(tiny, seed=3), DATA)
    assert [run.folder for run in same_runs(runs, tiny, DATA)] == [first.folder, second.folder]


def test_changed_settings_name_options():
    from facegan.config import TrainConfig

    assert changed_settings(TrainConfig(), TrainConfig(iters=3, name="x", beta2=0.9)) == {
        "--beta2": (0.999, 0.9)
    }
