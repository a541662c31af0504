"""How quickly a scrape begins: what is imported for a list of addresses."""

import json
import subprocess
import sys

HEAVY = {"bs4", "cachecontrol", "cv2", "numpy", "pyarrow", "requests", "torch"}


def test_a_list_of_addresses_waits_for_no_library_that_it_does_not_use():
    names = "import json, sys, pipeline.scrape, pipeline.sources.urls"
    code = f"{names}; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(json.loads(done.stdout))
