"""OpenVLA-OFT behind its authors' REST server, ``vla-scripts/deploy.py`` of moojink/openvla-oft.

``POST /act`` carries the images of one session (``full_image``, and every key with ``wrist`` in
it), its state and its instruction, and is answered with a list of actions. The server reports its
own errors as HTTP 200 with the body ``"error"``. It words the prompt, crops the images and
normalises the state itself; what is left to the client stands in the cards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vlabench.contract.specs import CameraSpec
from vlabench.errors import PolicyError, UsageError
from vlabench.policies.json_numpy import decode_rows, encode_array
from vlabench.policies.rest import RestPolicy
from vlabench.policies.vectors import check_numbers
from vlabench.types import Json, Observation

_FULL, _WRIST = "full_image", "wrist"


@dataclass(eq=False, repr=False, kw_only=True)
class OpenVlaOft(RestPolicy):
    """Asks a running OpenVLA-OFT server, one observation at a time.

    Args:
        url: Of the server, for example ``http://127.0.0.1:8777``.
        checkpoint: What the server has loaded, for example
            ``moojink/openvla-7b-oft-finetuned-libero-goal``: it picks the card.
        revision: The checkpoint that the server has loaded, in your words, for example its path
            and commit. The server does not tell; without it, a run cannot know that another
            checkpoint answers now, and resumes.
        card: A card file for a checkpoint that no packaged card covers, or a packaged card's name.
        double_encoded: Send ``{"encoded": text}``, for a server without json-numpy's patch.
        connect_timeout_s: Seconds to wait for a connection.
        timeout_s: Seconds to wait for an answer; the first one may take long.
        away_s: Seconds to wait for a server that has answered before and is gone.
        attempts: How often to try for a connection.

    Raises:
        UsageError: If there is no url, or a value cannot be understood.
    """

    adapter = name = "oft-rest"
    project = "OpenVLA-OFT"
    how = (
        "start OpenVLA-OFT's 'python vla-scripts/deploy.py --pretrained_checkpoint CHECKPOINT "
        "--unnorm_key NAME --num_images_in_input 2' and give --policy-arg "
        "url=http://127.0.0.1:8777 (and --policy-arg checkpoint=CHECKPOINT)"
    )
    often = "another --num_images_in_input or --use_proprio than the card's cameras and state"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_keys(self._spec.cameras)

    def _rows(self, answer: Json) -> npt.NDArray[np.floating[Any]]:
        rows = decode_rows(answer)
        if rows is None:
            raise self._refusal(answer)
        length, shape = self._spec.chunk_length, (self._spec.action.dimension,)
        wrong = [row for row in rows if row.shape != shape or row.dtype.kind != "f"]
        if wrong or len(rows) != length:
            found = f"{wrong[0].dtype} {wrong[0].shape}" if wrong else f"{len(rows)} actions"
            raise PolicyError(
                f"{self._server_name} answered {found} where {length} "
                f"actions of float {shape} are due; does it run the checkpoint of the card "
                f"{self._spec.name!r}?"
            )
        actions: npt.NDArray[np.floating[Any]] = np.stack(rows)
        check_numbers(self._server_name, actions, self._spec.action.bound)
        return actions

    def _request(self, seen: Observation) -> dict[str, Json]:
        request: dict[str, Json] = {
            camera.key: encode_array(seen.images[camera.role]) for camera in self._spec.cameras
        }
        if seen.state is not None:
            request["state"] = encode_array(seen.state)
        return {**request, "instruction": seen.instruction}


def _check_keys(cameras: Sequence[CameraSpec]) -> None:
    keys = [camera.key for camera in cameras]
    if keys[:1] != [_FULL] or not all(_WRIST in key for key in keys[1:]):
        raise UsageError(
            f"The card of policy 'oft-rest' has cameras with the keys {', '.join(keys) or 'none'}; "
            f"the server reads {_FULL!r} first and then those with {_WRIST!r} in their name."
        )
