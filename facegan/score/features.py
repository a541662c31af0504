"""`--features`: which network's features are taken, and where its weights come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from facegan.config import ScoreConfig
from facegan.core.errors import SourceError
from facegan.core.events import Listener, Note, silent
from facegan.score import inception, weights
from facegan.score.network import FeatureNetwork
from facegan.score.onnx_features import OnnxFeatures

if TYPE_CHECKING:
    import torch

STAGE = "score"
PROTOCOLS = {"inception2015": "fid2015", "torchvision": "torchvision"}
"""The protocol of each network that has a name."""
PUBLISHED = {"fid2015": weights.FID_INCEPTION, "torchvision": weights.TORCHVISION_INCEPTION}
"""The file of each protocol."""


def open_features(
    config: ScoreConfig, device: torch.device | str = "cpu", *, listener: Listener = silent
) -> FeatureNetwork:
    """The network that the settings ask for; `auto` is Inception of 2015, or that of `weights`.

    Args:
        config: `features`, `weights`, `resize` and `precision` are used.
        device: where it computes.
        listener: gets a download's progress, and notes.

    Raises:
        ScoreError: the file of weights cannot be used.
        SourceError: the published one cannot be fetched.
        MissingDependencyError: ONNX Runtime is needed and missing.
    """
    if _is_onnx(config.features):
        return OnnxFeatures(Path(config.features))
    local = Path(config.weights) if config.weights else None
    name = _protocol(config.features, local)
    found = weights.obtain(PUBLISHED[name], local=local, listener=listener)
    return inception.open_network(
        name, found, device, resize=config.resize, precision=config.precision, listener=listener
    )


def open_or_say(
    config: ScoreConfig,
    device: torch.device | str = "cpu",
    *,
    fetch: bool = True,
    listener: Listener = silent,
) -> tuple[FeatureNetwork | None, str]:
    """The network, or None and why there is none.

    A network asked for by name must be there; `auto` does without where it cannot be fetched, and
    says so. Without `fetch` nothing is downloaded.

    Raises:
        ScoreError, SourceError, MissingDependencyError: as `open_features`.
    """
    if config.features == "none":
        return None, "no feature network was asked for (--features none)"
    if not fetch and (needed := _to_fetch(config)):
        return None, f"{needed.name} would be fetched first ({needed.bytes / 2**20:.0f} MiB)"
    try:
        return open_features(config, device, listener=listener), ""
    except SourceError as error:
        if config.features != "auto":
            raise
        hint = f" ({error.hint})" if error.hint else ""
        text = f"{error.message}: only what needs no network is measured{hint}"
        listener(Note(STAGE, text, warning=True))
        return None, "the weights of Inception are not here and could not be fetched"


def unofficial(network: FeatureNetwork | None) -> tuple[str, ...]:
    """A warning where the weights are not those that the field measures with."""
    if network is None or network.protocol.official:
        return ()
    sha256 = network.protocol.weights_sha256[:8]
    return (
        f"unofficial weights (sha256 {sha256}…): the numbers compare only with others of the same "
        "file",
    )


def check_files(config: ScoreConfig) -> None:
    """Look into the files that the settings name, before hours of other work.

    Raises:
        ScoreError: a file is missing, damaged, or of another network than the one asked for.
        MissingDependencyError: ONNX Runtime is needed and missing.
    """
    if _is_onnx(config.features) or config.weights is not None:
        open_features(config)


def _protocol(features: str, local: Path | None) -> str:
    if features in PROTOCOLS:
        return PROTOCOLS[features]
    return inception.protocol_of(local) if local else "fid2015"


def _to_fetch(config: ScoreConfig) -> weights.Published | None:
    """The published file that is not here yet."""
    if _is_onnx(config.features) or config.weights is not None:
        return None
    published = PUBLISHED[_protocol(config.features, None)]
    return None if weights.is_cached(published) else published


def _is_onnx(features: str) -> bool:
    return features.lower().endswith(".onnx")
