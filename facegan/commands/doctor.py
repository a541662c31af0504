"""`facegan doctor`: versions, device, disk, weights."""

from __future__ import annotations

from facegan.commands._session import Result, Session
from facegan.commands._session import command as facegan_command


@facegan_command("doctor", examples=("facegan doctor", "facegan doctor --json"))
def command(session: Session) -> Result:
    """Check what facegan needs on this machine: packages, devices, disk and downloaded files."""
    from facegan.doctor import Check, examine
    from pipeline.detect import model_path

    model = model_path()
    found = str(model) if model.is_file() else f"not at {model}; `facegan crop` then uses Haar"
    checks = [*examine(session.workspace), Check("yunet", model.is_file(), found)]
    lines = tuple(f"{'ok' if check.good else '--'}  {check.name}: {check.text}" for check in checks)
    data = {check.name: {"good": check.good, "text": check.text} for check in checks}
    return Result(data, lines, None)
