"""`facegan score` on PNG files beside torch-fidelity on the same files with the same weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from facegan.images import encode_png
from facegan.score.inception import random_weights

COUNT = 30


def write(folder: Path, seed: int, gain: float) -> None:
    """Smooth coloured noise of 256x256 px: sets that differ in contrast."""
    from scipy.ndimage import gaussian_filter

    folder.mkdir()
    rng = np.random.default_rng(seed)
    for number in range(COUNT):
        field = gaussian_filter(rng.normal(size=(256, 256, 3)), (6, 6, 0))
        image = np.clip(128 + gain * 600 * field, 0, 255).astype(np.uint8)
        (folder / f"{number:03d}.png").write_bytes(encode_png(image))


@pytest.mark.slow
def test_all_numbers_equal_torch_fidelitys_end_to_end(tmp_path: Path) -> None:
    weights = random_weights(tmp_path / "weights.pth", seed=5, network="fid2015").path
    write(tmp_path / "a", 1, 1.0)
    write(tmp_path / "b", 2, 0.6)
    done = subprocess.run(
        [sys.executable, "-m", "cli", "score", "a", "--against", "b", "--weights", str(weights),
         "--splits", "1", "--precision", "fp32", "--json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    measures = json.loads(done.stdout)["result"]["measures"]
    ours = {measure["name"]: measure["value"] for measure in measures}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_fidelity import calculate_metrics

        theirs = calculate_metrics(
            input1=str(tmp_path / "a"), input2=str(tmp_path / "b"), cuda=False, cache=False,
            isc=True, fid=True, kid=True, prc=True, isc_splits=1, kid_subset_size=COUNT,
            kid_subsets=1, batch_size=8, verbose=False, save_cpu_ram=True,
            feature_extractor="inception-v3-compat",
            feature_extractor_weights_path=str(weights),
        )  # fmt: skip
    pairs = {
        "inception_score": theirs["inception_score_mean"],
        "fid": theirs["frechet_inception_distance"],
        "kid": 1000 * theirs["kernel_inception_distance_mean"],
        "precision_k3": theirs["precision"],
        "recall_k3": theirs["recall"],
    }
    assert {name: ours[name] for name in pairs} == pytest.approx(pairs, rel=1e-4)
    assert theirs["frechet_inception_distance"] > 0
    assert theirs["inception_score_mean"] > 1
