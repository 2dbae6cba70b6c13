"""OpenVLA behind its authors' REST server, ``vla-scripts/deploy.py`` of github.com/openvla/openvla.

``POST /act`` carries one image, one instruction and perhaps an ``unnorm_key``, and is answered with
one action. The server reports its own errors as HTTP 200 with the body ``"error"``. It puts the
instruction into OpenVLA's prompt itself, and prepares nothing else: what the numbers mean, and how
images are prepared, stands in the cards.

It begins with the card of the LIBERO checkpoints. `vlabench.policies.openvla` loads the same
checkpoints in process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from vlabench.errors import PolicyError, UsageError
from vlabench.policies.arguments import text
from vlabench.policies.json_numpy import decode_array, encode_array
from vlabench.policies.options import read_options
from vlabench.policies.rest import RestPolicy
from vlabench.policies.vectors import check_numbers
from vlabench.types import Json, Observation


class OpenVlaRestOptions(BaseModel):
    """What a card says beside the conventions.

    Attributes:
        unnorm_key: The data set whose statistics un-normalise the actions, where the checkpoint
            has several; empty where it has one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unnorm_key: str = ""


@dataclass(eq=False, repr=False, kw_only=True)
class OpenVlaRest(RestPolicy):
    """Asks a running OpenVLA server, one observation at a time.

    Args:
        url: Of the server, for example ``http://127.0.0.1:8000``.
        checkpoint: What the server has loaded, for example ``openvla/openvla-7b``: it picks the
            card. Without it, the card of the checkpoints that were fine-tuned on LIBERO.
        revision: The checkpoint that the server has loaded, in your words, for example its path
            and commit. The server does not tell; without it, a run cannot know that another
            checkpoint answers now, and resumes.
        card: A card file for a checkpoint that no packaged card covers, or a packaged card's name.
        double_encoded: Send ``{"encoded": text}``, for a server without json-numpy's patch; some
            versions of ``deploy.py`` refuse it, so it is off unless told.
        connect_timeout_s: Seconds to wait for a connection.
        timeout_s: Seconds to wait for an answer; the first one may take long.
        away_s: Seconds to wait for a server that has answered before and is gone.
        attempts: How often to try for a connection.
        unnorm_key: The data set whose statistics un-normalise the actions, for example
            ``libero_spatial``; empty to take the card's, or to let the server choose, which it
            can if it has only one.

    Raises:
        UsageError: If there is no url, or a value cannot be understood.
    """

    adapter = name = "openvla-rest"
    project = "OpenVLA"
    how = (
        "start OpenVLA's 'python vla-scripts/deploy.py --openvla_path CHECKPOINT' and give "
        "--policy-arg url=http://127.0.0.1:8000 (and --policy-arg checkpoint=CHECKPOINT for "
        "another card than LIBERO's, --policy-arg unnorm_key=NAME where the checkpoint has "
        "several, and --policy-arg revision=COMMIT to tell its runs from another's)"
    )
    often = "a missing or unknown unnorm_key (give --policy-arg unnorm_key=NAME)"

    unnorm_key: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self._spec.cameras) != 1:
            raise UsageError(
                f"The card of policy {self.name!r} has {len(self._spec.cameras)} cameras; the "
                "server takes one image, so declare one."
            )
        options = read_options(self._card, OpenVlaRestOptions)
        self.unnorm_key = text(self.unnorm_key) or options.unnorm_key

    def _rows(self, answer: Json) -> npt.NDArray[np.floating[Any]]:
        action = decode_array(answer)
        if action is None:
            raise self._refusal(answer)
        shape = (self._spec.action.dimension,)
        if action.shape != shape or action.dtype.kind != "f":
            raise PolicyError(
                f"{self._server_name} answered {action.dtype} {action.shape} "
                f"where a float {shape} is due; is it deploy.py with an OpenVLA checkpoint?"
            )
        actions: npt.NDArray[np.floating[Any]] = action[np.newaxis]
        check_numbers(self._server_name, actions, self._spec.action.bound)
        return actions

    def _request(self, seen: Observation) -> dict[str, Json]:
        image = seen.images[self._spec.cameras[0].role]
        request: dict[str, Json] = {"image": encode_array(image), "instruction": seen.instruction}
        return {**request, "unnorm_key": self.unnorm_key} if self.unnorm_key else request
