"""torchvision beside whatever torch is installed.

Two things go wrong with it. Every torchvision belongs to one torch. And where torch was built for
the processor alone, the torchvision of the Python package index, which was built for CUDA, cannot
load its compiled operators, and then even its import fails, at the line that describes ``nms``
(``torchvision/_meta_registrations.py``, ``register_fake("torchvision::nms")``: the only operators
that are described without asking first whether they are there).
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from vlabench.errors import UsageError

_DESCRIBED = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
"""The operators, as ``_meta_registrations.py`` describes them (``meta_nms``, ``meta_qnms``)."""


def torchvision_for_torch() -> str:
    """What pip must be told so that torchvision fits the torch that is installed here.

    torch 2.x belongs to torchvision 0.(x + 15), from 2.0 with 0.15 to 2.13 with 0.28: the table in
    torchvision's README.

    Raises:
        UsageError: If there is no torch, or none of these.
    """
    try:
        found = version("torch")
    except PackageNotFoundError:
        found = "none"
    major, _, rest = found.partition(".")
    minor = rest.partition(".")[0]
    if major != "2" or not minor.isdigit():
        raise UsageError(
            f"torch 2 is needed and {found} is installed, so it is not known which torchvision "
            "fits; install torch 2, or name a torchvision in 'requires' of a card of your own."
        )
    return f"torchvision==0.{int(minor) + 15}.*"


def import_torchvision() -> None:
    """Makes ``import torchvision`` work beside a torch without CUDA.

    The two operators that its import describes are declared, if they are not there, so that it can
    describe them. They are not implemented by that: whoever calls one gets torch's own error. No
    policy of this package calls them.

    Raises:
        ImportError: If torchvision is not installed.
    """
    import torch

    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        make: Any = torch.library.Library
        library = make("torchvision", "FRAGMENT")
        for name, signature in _DESCRIBED.items():
            if not hasattr(torch.ops.torchvision, name):
                library.define(signature)
        _KEPT.append(library)
        import torchvision

    del torchvision


_KEPT: list[object] = []
"""Libraries of operators, which are undone when nobody holds them."""
