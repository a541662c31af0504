"""Print every figure of benchmarks/results beside its target; exit code 1 where one is missed."""

from __future__ import annotations

import json
import operator
import sys

from benchmarks.result import RESULTS

COMPARE = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}


def main() -> int:
    """Read all results; 0 when every target is reached."""
    missed = 0
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        print(f"{result['name']}  ({result['date']}, {result['machine']['processor']})")
        for key, value in result["figures"].items():
            sign, limit = result["targets"].get(key, ("", None))
            reached = limit is None or COMPARE[sign](value, limit)
            missed += not reached
            target = "" if limit is None else f"  {sign} {limit:g}  {'ok' if reached else 'MISSED'}"
            print(f"  {key:<28} {value:>12.6g}{target}")
        for key in sorted(set(result["targets"]) - set(result["figures"])):
            print(f"  {key:<28} {'not measured':>12}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
