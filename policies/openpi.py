"""pi0, pi0-FAST and pi0.5 behind openpi's websocket server, ``scripts/serve_policy.py``.

The protocol is that of ``src/openpi/serving/websocket_policy_server.py`` in
github.com/Physical-Intelligence/openpi: on connecting the server sends one frame of metadata; then
an observation goes there and ``{"actions": (T, D), "server_timing": ...}`` comes back, one binary
frame each. It answers its own errors with a text frame, a traceback, and closes. The protocol knows
no session, so each has a connection of its own. The keys of a request, what the numbers mean and
how images are prepared stand in the cards ``cards/pi0*.yaml``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt

from vlabench.contract.declared import NAMES, disagreements
from vlabench.contract.openpi_codec import pack, unpack
from vlabench.contract.wire import Plain, WireError, policy_spec_from_wire
from vlabench.errors import PolicyError, UsageError
from vlabench.policies.arguments import text
from vlabench.policies.card import Card
from vlabench.policies.conversations import ConversingPolicy
from vlabench.policies.options import read_options
from vlabench.policies.vectors import check_numbers, state_size
from vlabench.policies.websocket import Connection, authorization
from vlabench.types import ActionChunk, EpisodeStart, Floats, Observation

_DECLARATION = "policy_spec"
"""Where `vlabench serve` puts it into the metadata; openpi's own servers tell none."""

_OTHERWISE = frozenset({*NAMES, "max_batch", "fixed_batch"})
"""What may differ from the card: over this protocol every request goes alone."""


class OpenPiOptions(BaseModel):
    """What a card of this adapter says besides.

    Attributes:
        state: Key of the request to how many numbers of the state vector go there, in order.
        prompt: The key of the instruction.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    state: dict[str, PositiveInt]
    prompt: str


@dataclass(eq=False, repr=False, kw_only=True)
class OpenPi(ConversingPolicy):
    """Asks a running openpi server, over one connection a session.

    Args:
        url: Of the server, for example ``ws://127.0.0.1:8000``.
        checkpoint: What the server has loaded, for example ``pi05_droid``: it picks the card.
            ``pi05_libero`` unless told.
        revision: Which weights those are, in your words, for example their folder and step. The
            server does not tell; without it, a run cannot know that another checkpoint answers
            now, and resumes.
        card: A card file for a checkpoint that no packaged card covers, or a packaged card's name.
        connect_timeout_s: Seconds to wait for a connection. A server that compiles its model for
            the first request opens none meanwhile.
        timeout_s: Seconds to wait for an answer; the first one may take minutes.
        away_s: Seconds to wait for a server that has answered before and is gone.
        attempts: How often to try for a connection.
        token_env: Name of the environment variable that holds the server's API key, if it wants
            one.

    Raises:
        UsageError: If there is no url, or a value cannot be understood.
    """

    adapter = name = "openpi"
    project = "openpi"
    how = (
        "start openpi's 'uv run scripts/serve_policy.py policy:checkpoint --policy.config=CONFIG "
        "--policy.dir=FOLDER' and give --policy-arg url=ws://127.0.0.1:8000 (and --policy-arg "
        "checkpoint=CONFIG unless it is pi05_libero)"
    )
    program = "openpi's scripts/serve_policy.py"

    connect_timeout_s: str | float = 120.0
    timeout_s: str | float = 600.0
    token_env: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._options = read_options(self._card, OpenPiOptions)
        _check_state(self._card, self._options)

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Opens a connection for each session.

        Raises:
            InfrastructureError: If the server cannot be reached, or is none of openpi's.
        """
        for start in starts:
            self._conversations.begin(start.episode_id)

    def _identification(self) -> Mapping[str, str]:
        return authorization(self.name, text(self.token_env))

    def _greet(self, connection: Connection) -> None:
        """Reads the metadata; those of `vlabench serve` say what the policy declares."""
        frame = connection.receive()
        metadata = None if isinstance(frame, str) else self._read(frame)
        if not isinstance(metadata, dict):
            raise self._stranger("greeted with no map of metadata")
        if _DECLARATION not in metadata:
            return
        try:
            theirs = policy_spec_from_wire(metadata[_DECLARATION])
        except WireError as error:
            raise self._stranger(f"greeted with a wrong declaration ({error})") from error
        names = (f"the card {self._spec.name!r}", "the server's metadata")
        self._refuse(disagreements(self._spec, theirs, names, ignored=_OTHERWISE))

    def _ask(self, seen: Observation) -> ActionChunk:
        connection = self._conversations.of(seen.episode_id)
        connection.send(pack(self._request(seen)))
        answer = connection.receive()
        if isinstance(answer, str):
            raise PolicyError(
                f"{self._server_name} answered with an error ({_last_line(answer)}); "
                "its log has the whole."
            )
        return self._chunk(self._read(answer))

    def _request(self, seen: Observation) -> dict[str, Plain]:
        request: dict[str, Plain] = {
            camera.key or camera.role: seen.images[camera.role] for camera in self._spec.cameras
        }
        request |= _parts(seen.state, self._options.state)
        request |= {f"observation/{name}": seen.proprio[name] for name in self._spec.proprio}
        return {**request, self._options.prompt: seen.instruction}

    def _chunk(self, answer: Plain) -> ActionChunk:
        actions = answer.get("actions") if isinstance(answer, dict) else None
        due = (self._spec.chunk_length, self._spec.action.dimension)
        if not isinstance(actions, np.ndarray):
            raise PolicyError(
                f"{self._server_name} answered no actions but {_keys(answer)}; is it "
                "scripts/serve_policy.py?"
            )
        if actions.shape != due or actions.dtype.kind != "f":
            raise PolicyError(
                f"{self._server_name} answered {actions.dtype} {actions.shape} where a "
                f"float {due} is due; does it run a checkpoint of the card {self._spec.name!r}?"
            )
        check_numbers(self._server_name, actions, self._spec.action.bound)
        return ActionChunk(actions, infer_ms=_infer_ms(answer))

    def _read(self, frame: bytes) -> Plain:
        try:
            return unpack(frame)
        except WireError as error:
            raise self._stranger(f"sent a frame that cannot be read ({error})") from error


def _check_state(card: Card, options: OpenPiOptions) -> None:
    """That the request has room for the state vector."""
    found, due = state_size(card.spec().state), sum(options.state.values())
    if found != due:
        raise UsageError(
            f"The card {card.name!r} of policy 'openpi' has a state of {found} numbers, and "
            f"options.state has room for {due}; make them equal."
        )


def _parts(state: Floats | None, sizes: Mapping[str, int]) -> dict[str, Floats]:
    """The state vector, cut into the parts of a request."""
    parts, first = {}, 0
    for key, size in sizes.items():
        found = None if state is None else state[first : first + size]
        if found is None or len(found) != size:
            raise PolicyError(
                f"Policy 'openpi' was shown a state of {0 if state is None else len(state)} "
                f"numbers, and its server wants {sum(sizes.values())}."
            )
        parts[key], first = found, first + size
    return parts


def _infer_ms(answer: Mapping[str, Plain]) -> float | None:
    """How long the model took, or at least the server; None if neither is told."""
    for key in ("policy_timing", "server_timing"):
        timing = answer.get(key)
        told = timing.get("infer_ms") if isinstance(timing, dict) else None
        if isinstance(told, int | float) and told >= 0:
            return float(told)
    return None


def _keys(answer: Plain) -> str:
    if isinstance(answer, dict):
        return "the keys " + (", ".join(map(str, answer))[:80] or "of an empty map")
    return f"a {type(answer).__name__}"


def _last_line(traceback: str) -> str:
    lines = [line.strip() for line in traceback.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "without a text"
