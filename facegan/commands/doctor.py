"""`facegan doctor`: versions, device, disk, weights."""

from __future__ import annotations

from facegan.commands._session import Result, Session
from facegan.commands._session import command as facegan_command


@facegan_command("doctor", examples=("facegan doctor", "facegan doctor --json"))
def command(session: Session) -> Result:
    """Check what facegan needs on this machine: packages, devices, disk and downloaded files."""
    from facegan.doctor import Check, examine
    from pipeline.model_file import cached_model, model_path

    model = cached_model()
    place = f"{'damaged' if model_path().exists() else 'not'} at {model_path()}"
    later = "`facegan crop` fetches it when it is first run, and uses Haar where it cannot"
    found = str(model or f"{place}; {later}")
    checks = [*examine(session.workspace), Check("yunet", model is not None, found)]
    lines = tuple(f"{'ok' if check.good else '--'}  {check.name}: {check.text}" for check in checks)
    data = {check.name: {"good": check.good, "text": check.text} for check in checks}
    return Result(data, lines, None)
