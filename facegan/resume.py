"""Which training run goes on, and which changes of its settings are refused. No torch here.

A run goes on when its settings are the same but for those that may change, its faces are the same,
and its newest checkpoint lies before the iterations asked for; else a new one begins.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegan.config import TrainConfig
from facegan.core.config import option_of
from facegan.core.errors import ConfigError
from facegan.runs import Run, list_runs, named, same_faces

RESOLVED = ("device", "precision")
"""Settings whose `auto` is resolved once, when a run begins, and kept in its config.json."""
_ON_THE_WAY = (
    *("log_every", "sample_every", "checkpoint_every", "keep_checkpoints", "keep_every"),
    *("score_every", "score_samples"),
)
FREE = frozenset(("iters", "name", "engine", *_ON_THE_WAY))
"""What may change from call to call: how long, how it is run and what is written on the way."""


def same_runs(runs_dir: Path, config: TrainConfig, data: Mapping[str, Any]) -> list[Run]:
    """Runs on the same faces with the same settings but for `FREE` ones, oldest first."""
    return [
        run
        for run in list_runs(runs_dir)
        if same_faces(run.data, data)
        and run.config.run_name == config.run_name
        and not changed_settings(run.config, config)
    ]


def changed_settings(stored: TrainConfig, wanted: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """Option -> (a run's value, the wanted one), where they differ.

    `FREE` ones may; what is wanted as `auto` is the run's.
    """
    old, new = _flat(stored), _flat(as_resolved(wanted, stored))
    return {option: (old[option], new[option]) for option in old if old[option] != new[option]}


def as_resolved(wanted: TrainConfig, stored: TrainConfig) -> TrainConfig:
    """The settings with each `auto` as a run has resolved it."""
    return dataclasses.replace(
        wanted,
        **{name: getattr(stored, name) for name in RESOLVED if getattr(wanted, name) == "auto"},
    )


def find(
    runs_dir: Path,
    config: TrainConfig,
    data: Mapping[str, Any],
    *,
    resume: str | None = None,
    restart: bool = False,
    override: bool = False,
) -> Run | None:
    """The run that goes on, with its settings as they will be; None when a new one begins.

    Args:
        runs_dir: where the runs lie.
        config: the settings asked for.
        data: `data_identity` of the shards.
        resume: a run's name; None takes the newest unfinished one that is the same.
        restart: begin a new run whatever is there.
        override: go on with `resume` although settings have changed.

    Raises:
        ConfigError: a setting or the faces differ from those of `resume`, `iters` lies before its
            newest checkpoint, or the arguments exclude each other.
        CheckpointError: there is no run `resume`.
    """
    if resume is None:
        if override:
            raise ConfigError("--override changes the settings of a run that --resume names")
        same = [] if restart else same_runs(runs_dir, config, data)
        unfinished = [run for run in same if run.reached < config.iters]
        return _continued(unfinished[-1], config, data) if unfinished else None
    if restart:
        raise ConfigError("--restart begins a new run and --resume goes on with one: give one")
    run = named(runs_dir, resume)
    if problems := _refusals(run, config, data, override=override):
        raise ConfigError.of(
            problems, hint="leave --resume out to begin a new run, or give --override"
        )
    return _continued(run, config, data)


def _refusals(
    run: Run, config: TrainConfig, data: Mapping[str, Any], *, override: bool
) -> list[str]:
    """Why a named run cannot go on like this."""
    problems = [
        f"{option} is {new}: the run {run.folder.name} has {old}"
        for option, (old, new) in changed_settings(run.config, config).items()
        if not override or option in _flat(config.model)
    ]
    if not same_faces(run.data, data) and not override:
        problems.append(
            f"the shards hold other faces: {_faces(data)}; the run {run.folder.name} began with "
            f"{_faces(run.data)}"
        )
    if config.iters < run.reached:
        problems.append(
            f"--iters is {config.iters}: the run {run.folder.name} has done {run.reached} already"
        )
    return problems


def _faces(data: Mapping[str, Any]) -> str:
    """What tells faces from others: `270 to train on and 30 held out (selection 6bbc9a, 64 px)`."""
    held_out = int(data.get("held_out", 0))
    apart = f"{data['count'] - held_out:,} to train on and {held_out:,} held out"
    return f"{apart} (selection {data['selection'][:12]}, {data['image_size']} px)"


def _continued(run: Run, config: TrainConfig, data: Mapping[str, Any]) -> Run:
    """The run with the settings with which it goes on."""
    changed = {option: new for option, (_, new) in changed_settings(run.config, config).items()}
    if not same_faces(run.data, data):
        changed["data"] = dict(data)
    overrides = run.overrides
    if changed:
        overrides = (*overrides, {"iteration": run.reached, "changed": changed})
    config = dataclasses.replace(as_resolved(config, run.config), name=run.config.name)
    if config.device != run.config.device and config.precision == run.config.precision:
        # What was the faster one there may be emulated here.
        config = dataclasses.replace(config, precision="auto")
    return dataclasses.replace(run, config=config, data=data, overrides=overrides)


def _flat(config: Any) -> dict[str, Any]:
    """Option -> value, without what may change from call to call."""
    flat: dict[str, Any] = {}
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        if dataclasses.is_dataclass(value):
            flat |= _flat(value)
        elif each.name not in FREE:
            flat[option_of(each)] = value
    return flat
