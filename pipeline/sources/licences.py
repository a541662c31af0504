"""Names and addresses of Creative Commons' licences, and the line that credits a work."""

from __future__ import annotations

import re

ROOT = "https://creativecommons.org"
CC0 = "CC0 1.0"
CC0_URL = f"{ROOT}/publicdomain/zero/1.0/"

PUBLIC_DOMAIN = {"cc0": ("CC0", "zero"), "pdm": ("Public Domain Mark", "mark")}
LICENCES = frozenset({"by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd"})
RETIRED = {"sampling+": "Sampling Plus", "nc-sampling+": "NC-Sampling Plus"}
VERSION = re.compile(r"\d\.\d")


def licence_name(code: str | None, version: str | None = None) -> str | None:
    """As people write it; an unknown code in capitals.

    >>> licence_name("by-sa", "2.0"), licence_name("cc0", "1.0"), licence_name("pdm", "1.0")
    ('CC BY-SA 2.0', 'CC0 1.0', 'Public Domain Mark 1.0')
    """
    if code is None:
        return None
    code = code.lower()
    if code in PUBLIC_DOMAIN:
        name = PUBLIC_DOMAIN[code][0]
    elif code in RETIRED:
        name = f"CC {RETIRED[code]}"
    else:
        name = f"CC {code.upper()}" if code in LICENCES else code.upper()
    return f"{name} {version}" if version else name


def licence_address(code: str | None, version: str | None) -> str | None:
    """Where a licence's text stands; None for what is not known.

    >>> licence_address("by-sa", "2.0"), licence_address("by-who", "2.0")
    ('https://creativecommons.org/licenses/by-sa/2.0/', None)
    """
    if code is None or version is None or not VERSION.fullmatch(version):
        return None
    code = code.lower()
    if code in PUBLIC_DOMAIN:
        return f"{ROOT}/publicdomain/{PUBLIC_DOMAIN[code][1]}/{version}/"
    return f"{ROOT}/licenses/{code}/{version}/" if code in LICENCES | set(RETIRED) else None


def attribution(
    title: str | None,
    creator: str | None,
    licence: str | None,
    via: str,
    origin: str | None = None,
) -> str:
    """One line that credits a work; `origin` is where `via` has it from.

    >>> attribution("Ada", "A. Painter", "CC BY 4.0", "Openverse")
    'Ada by A. Painter, CC BY 4.0, via Openverse'
    >>> attribution("Ada", None, "CC0 1.0", "Wikimedia Commons", "A museum")
    'Ada, A museum, CC0 1.0, via Wikimedia Commons'
    >>> attribution(None, None, None, "Openverse")
    'Untitled, via Openverse'
    """
    work = f"{title or 'Untitled'} by {creator}" if creator else title or "Untitled"
    return ", ".join(part for part in (work, origin, licence, f"via {via}") if part)


def restrictions(names: str | None) -> str:
    """What limits the use of a work beside its copyright, such as the person on it.

    It ends the line that credits the work: a licence has one name, whatever is published under it.

    Args:
        names: with "|" between them, as Commons has them.

    >>> restrictions("personality|trademarked"), restrictions(None)
    (' (restrictions: personality, trademarked)', '')
    """
    told = ", ".join(name.strip() for name in (names or "").split("|") if name.strip())
    return f" (restrictions: {told})" if told else ""
