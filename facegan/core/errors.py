"""Every error that facegan raises on purpose.

    FaceganError                 1   a bug, unless a subclass says otherwise
    ├── ConfigError              2   a setting that cannot be
    ├── WorkspaceError           3   something on disk is missing, unwritable or corrupt
    │   ├── CatalogError         3
    │   └── ShardError           3
    ├── CheckpointError          3
    ├── ScoreError               3
    ├── SourceError              4   an image source or the network
    │   ├── RateLimitedError     4
    │   └── BlockedError         4
    ├── MissingDependencyError   5   a package or a device that is not here
    ├── PeerLostError            5   another process of one training has ended
    ├── TrainingDivergedError    6
    └── NothingProducedError     7   the stage ended well and made nothing

The number is the exit code of the command that ends with the error. The first line of a message
is one sentence: what failed, with its value, and why. `hint` is a command or an action that mends
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class FaceganError(Exception):
    """Root of the tree.

    Args:
        message: one sentence: what failed, with its value, and why.
        hint: what to do about it, a command where there is one.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.stage: str | None = None
        """The stage of a chain of commands in which it was raised."""
        self.process: int | None = None
        """Of several processes the one that met it alone; None where all of them do."""

    @property
    def code(self) -> str:
        """The error's name in machine-readable output, such as `ShardError`."""
        return type(self).__name__


class ConfigError(FaceganError):
    """One or more settings that cannot be; all of them are gathered before it is raised."""

    exit_code = 2

    @classmethod
    def of(cls, problems: Sequence[str], *, hint: str | None = None) -> ConfigError:
        """Join `problems` (one sentence each, at least one) into one error."""
        return cls("\n".join(problems), hint=hint)


class WorkspaceError(FaceganError):
    """Something in the workspace is missing, cannot be written or is corrupt."""

    exit_code = 3


class CatalogError(WorkspaceError):
    """The SQLite catalog cannot be read or written."""


class ShardError(WorkspaceError):
    """Shards or their index are missing, corrupt or out of date."""


class CheckpointError(FaceganError):
    """A run, checkpoint or snapshot is missing or corrupt."""

    exit_code = 3


class ScoreError(FaceganError):
    """A score cannot be computed from what was given."""

    exit_code = 3


class SourceError(FaceganError):
    """An image source did not give what it should."""

    exit_code = 4

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        answer: bytes | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        """HTTP's, where it came to that."""
        self.answer = answer
        """What came instead, where it is short or nobody could read it."""


class RateLimitedError(SourceError):
    """A source asks for fewer requests; `retry_after_s` is its wish, where it told one."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        answer: bytes | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint, status=status, answer=answer)
        self.retry_after_s = retry_after_s


class BlockedError(SourceError):
    """A source answers, but not with results: a captcha, a refusal or changed markup."""


class MissingDependencyError(FaceganError):
    """An optional package, a device or a file from elsewhere is not here."""

    exit_code = 5


class PeerLostError(FaceganError):
    """One of the processes that train together has ended before the others."""

    exit_code = 5


class TrainingDivergedError(FaceganError):
    """Losses or gradients are no longer finite."""

    exit_code = 6


class NothingProducedError(FaceganError):
    """The stage ended as it should and made nothing."""

    exit_code = 7
