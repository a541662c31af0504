"""The formulas beside the field's programs, on the same features.

The programs compute in the dtype of what they get, so features go in as float64 where a relative
1e-6 is asked: with float32 torch-fidelity's own KID is off by up to 2e-6.
"""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
import scipy.linalg
import torch

from facegan.score.frechet import frechet_distance, frechet_of_moments, moments
from facegan.score.inception_score import inception_score
from facegan.score.kernel import kernel_distance, polynomial_mmd2
from facegan.score.manifold import manifold

prdc = pytest.importorskip("prdc")
metric_fid = pytest.importorskip("torch_fidelity.metric_fid")
metric_isc = pytest.importorskip("torch_fidelity.metric_isc")
metric_kid = pytest.importorskip("torch_fidelity.metric_kid")
metric_prc = pytest.importorskip("torch_fidelity.metric_prc")

CLOSE = 1e-6
SHAPES = [(400, 300, 64), (100, 900, 64), (129, 128, 64)]
FEW = [(50, 60, 128), (128, 400, 128)]
"""No more samples than dimensions: the covariance is singular."""


def pair(first, second, dimensions):
    """Features that are not negative and heavy on some dimensions, as a network's pools are."""
    generator = np.random.default_rng(first)
    weights = generator.gamma(0.5, size=dimensions)
    a = np.abs(generator.normal(size=(first, dimensions))) * weights
    b = np.abs(1.1 * generator.normal(size=(second, dimensions)) + 0.05) * weights
    return a.astype(np.float32), b.astype(np.float32)


def tensors(*features):
    return [torch.from_numpy(np.asarray(values, np.float64)) for values in features]


@pytest.mark.parametrize(("samples", "splits"), [(500, 10), (503, 10), (70, 1)])
@pytest.mark.parametrize("scale", [0.5, 4])
def test_inception_score_is_torch_fidelitys(samples, splits, scale):
    logits = np.random.default_rng(1).normal(0, scale, (samples, 100)).astype(np.float32)
    order = np.random.default_rng(3).permutation(samples)
    peer = metric_isc.isc_features_to_metric(
        torch.from_numpy(logits[order]), splits=splits, shuffle=False
    )
    score = inception_score(logits, splits=splits, seed=3)
    assert score.mean == pytest.approx(peer[metric_isc.KEY_METRIC_ISC_MEAN], rel=CLOSE)
    assert score.std == pytest.approx(peer[metric_isc.KEY_METRIC_ISC_STD], rel=CLOSE, abs=1e-12)


def test_inception_score_is_a_number_where_torch_fidelitys_is_none():
    """A class that no sample of a split can have: 0 times (-inf - -inf)."""
    logits = torch.zeros(20, 5)
    logits[:, :2] = 2000
    peer = metric_isc.isc_features_to_metric(logits, splits=1, shuffle=False)
    assert np.isnan(peer[metric_isc.KEY_METRIC_ISC_MEAN])
    assert inception_score(logits.numpy(), splits=1).mean == pytest.approx(1)


def fid_of_peer(a, b):
    statistics = [metric_fid.fid_features_to_statistics(x) for x in tensors(a, b)]
    return metric_fid.fid_statistics_to_metric(*statistics, False)[metric_fid.KEY_METRIC_FID]


@pytest.mark.parametrize("shape", SHAPES + FEW)
def test_fid_is_torch_fidelitys(shape):
    a, b = pair(*shape)
    peer = fid_of_peer(a, b)
    assert frechet_distance(a, b).value == pytest.approx(peer, rel=CLOSE)
    assert frechet_of_moments(moments(a), moments(b)).value == pytest.approx(peer, rel=CLOSE)


@pytest.mark.parametrize("shape", SHAPES)
def test_fid_is_that_of_the_matrix_root(shape):
    """The formula as it was published; SciPy's root, which torch-fidelity 0.4 left."""
    a, b = (x.astype(np.float64) for x in pair(*shape))
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    gap = a.mean(axis=0) - b.mean(axis=0)
    root = scipy.linalg.sqrtm(first @ second).real
    peer = gap @ gap + np.trace(first) + np.trace(second) - 2 * np.trace(root)
    assert frechet_distance(a, b).value == pytest.approx(peer, rel=CLOSE)


def kid_of_peer(a, b, size, subsets, seed=2020):
    found = metric_kid.kid_features_to_metric(
        *tensors(a, b), kid_subsets=subsets, kid_subset_size=size, rng_seed=seed, verbose=False
    )
    return found[metric_kid.KEY_METRIC_KID_MEAN], found[metric_kid.KEY_METRIC_KID_STD]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("size", "subsets"), [(50, 100), (50, 2), (100, 20)])
@pytest.mark.parametrize("seed", [2020, 7])
def test_kid_of_the_same_seed_is_torch_fidelitys(shape, size, subsets, seed):
    a, b = pair(*shape)
    mean, std = kid_of_peer(a, b, size, subsets, seed)
    found = kernel_distance(a, b, subsets=subsets, subset_size=size, seed=seed)
    assert found.mean == pytest.approx(mean, rel=CLOSE)
    assert found.std == pytest.approx(std, rel=CLOSE)


def test_kid_of_all_samples_is_torch_fidelitys():
    a, b = (x[:100] for x in pair(400, 300, 64))
    mean, std = kid_of_peer(a, b, 100, 3)
    assert polynomial_mmd2(a, b) == pytest.approx(mean, rel=CLOSE)
    found = kernel_distance(a, b)
    assert (found.mean, found.std) == pytest.approx((mean, std), rel=CLOSE, abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES + FEW)
@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_recall_density_and_coverage_are_prdcs(shape, k):
    real, generated = pair(*shape)
    with contextlib.redirect_stdout(io.StringIO()):
        peer = prdc.compute_prdc(real, generated, k)
    found = manifold(real, generated, k)
    for share in ("precision", "recall", "density", "coverage"):
        assert getattr(found, share) == pytest.approx(peer[share], abs=1e-12)


@pytest.mark.parametrize("shape", [SHAPES[0], FEW[0]])
def test_precision_and_recall_are_torch_fidelitys(shape):
    real, generated = pair(*shape)
    peer = metric_prc.prc_features_to_metric(
        *tensors(generated, real), prc_neighborhood=3, prc_batch_size=100, verbose=False
    )
    found = manifold(real, generated, 3)
    assert found.precision == pytest.approx(peer["precision"], abs=1e-7)  # its mean is float32
    assert found.recall == pytest.approx(peer["recall"], abs=1e-7)
