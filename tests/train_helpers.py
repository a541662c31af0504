"""What the tests of training runs share."""

from facegan.history import read_history
from facegan.runs import checkpoint_path

DATA = {"selection": "a" * 64, "image_size": 32, "count": 10, "sha256": "b" * 64}
"""What a run was trained on, as its config.json says it."""


def reach(run, iteration):
    """Leave what a checkpoint of `iteration` looks like from outside."""
    run.checkpoints.mkdir(exist_ok=True)
    path = run.checkpoints / f"iter-{iteration:08d}"
    path.with_suffix(".safetensors").write_bytes(b"1234")
    path.with_suffix(".json").write_text('{"bytes": 4}')


class StopAfter:
    """`should_stop` that turns true at the n-th question."""

    def __init__(self, iterations):
        self.left = iterations

    def __call__(self):
        self.left -= 1
        return self.left <= 0


def result_of(run_dir, iters):
    """All that a run leaves but the times: tensors, history, pictures."""
    history = read_history(run_dir / "history.csv")
    del history["seconds"]
    return (
        checkpoint_path(run_dir / "checkpoints", iters).read_bytes(),
        {name: column.tolist() for name, column in history.items()},
        {path.name: path.read_bytes() for path in (run_dir / "samples").iterdir()},
    )
