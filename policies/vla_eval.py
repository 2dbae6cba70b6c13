"""Any model behind a server of vla-eval, ``vla-eval serve`` of allenai/vla-evaluation-harness.

The protocol is that of ``src/vla_eval/connection.py`` and ``model_servers/serve.py``: one websocket
a session, over which go a hello (answered by what the server says of itself), ``episode_start``,
then observations, each answered by an action or an error, and ``episode_end``. A server that makes
chunks keeps them itself and hands out one action for each observation. What the numbers mean stands
in the cards ``cards/vla-eval-*.yaml``, and a server whose hello contradicts its card is refused.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from vlabench.contract.wire import Plain, WireError
from vlabench.errors import InfrastructureError, PolicyError
from vlabench.policies.conversations import ConversingPolicy, of_one_session
from vlabench.policies.options import read_options
from vlabench.policies.vectors import check_numbers
from vlabench.policies.vla_eval_frames import Kind, Message, pack, unpack
from vlabench.policies.vla_eval_hello import PROTOCOL_VERSION, differences
from vlabench.policies.websocket import Connection
from vlabench.types import ActionChunk, EpisodeStart, Observation


class VlaEvalOptions(BaseModel):
    """What a card of this adapter says besides.

    Attributes:
        state: The key of the state vector in an observation, ``states`` or ``state``.
        task: What the server is told of the task at the start of an episode, beside its name; some
            servers choose by ``suite``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    state: str = "states"
    task: dict[str, str] = {}


@dataclass(eq=False, repr=False, kw_only=True)
class VlaEval(ConversingPolicy):
    """Asks a running vla-eval server, over one connection a session.

    Args:
        url: Of the server, for example ``ws://127.0.0.1:8000``.
        checkpoint: What the server has loaded, for example
            ``openvla/openvla-7b-finetuned-libero-goal``: it picks the card.
        revision: Which weights those are, in your words, for example their path and commit. The
            server does not tell; without it, a run cannot know that another checkpoint answers
            now, and resumes.
        card: A card file for a checkpoint that no packaged card covers, or a packaged card's name.
        connect_timeout_s: Seconds to wait for a connection.
        timeout_s: Seconds to wait for an answer; the first one may take long.
        away_s: Seconds to wait for a server that has answered before and is gone.
        attempts: How often to try for a connection.

    Raises:
        UsageError: If there is no url, or a value cannot be understood.
    """

    adapter = name = "vla-eval"
    project = "vla-eval"
    how = (
        "start vla-eval's 'vla-eval serve --config configs/model_servers/MODEL/SUITE.yaml' and "
        "give --policy-arg url=ws://127.0.0.1:8000 --policy-arg checkpoint=CHECKPOINT"
    )
    program = "'vla-eval serve'"

    connect_timeout_s: str | float = 30.0
    timeout_s: str | float = 600.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._options = read_options(self._card, VlaEvalOptions)
        self._seqs: dict[str, int] = {}

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Opens a connection for each session and says which task begins.

        Raises:
            InfrastructureError: If the server cannot be reached, or is not what the card declares.
        """
        for start in starts:
            self._conversations.begin(start.episode_id)
            self._seqs[start.episode_id] = 1
            task = {"name": start.instruction, **self._options.task}
            with of_one_session():
                self._send(start.episode_id, "episode_start", {"task": task})

    def end(self, episode_ids: Sequence[str]) -> None:
        """Says that the episodes are over, and closes their connections."""
        for episode_id in episode_ids:
            # the server learns no result, and one that is gone need not be told either
            with suppress(InfrastructureError):
                self._send(episode_id, "episode_end", {})
            self._seqs.pop(episode_id, None)
        super().end(episode_ids)

    def _greet(self, connection: Connection) -> None:
        payload = {"harness_version": "vlabench", "protocol_version": PROTOCOL_VERSION}
        connection.send(pack(Message("hello", payload, 1, time.time())))
        answer = self._receive(connection)
        if answer.kind != "hello":
            raise self._stranger(f"answered a hello with {answer.kind!r} {_short(answer.payload)}")
        self._refuse(differences(answer.payload, self._spec, f"the card {self._spec.name!r}"))

    def _ask(self, seen: Observation) -> ActionChunk:
        seq = self._send(seen.episode_id, "observation", self._payload(seen))
        answer = self._receive(self._conversations.of(seen.episode_id))
        if answer.kind == "error":
            raise PolicyError(
                f"{self._server_name} answered with an error "
                f"({_short(answer.payload)}); its log has the whole."
            )
        if answer.kind != "action" or answer.seq != seq:
            raise self._stranger(
                f"answered request {seq} with {answer.kind!r} to request {answer.seq}"
            )
        return self._chunk(answer.payload)

    def _payload(self, seen: Observation) -> dict[str, Plain]:
        payload: dict[str, Plain] = {
            "images": {
                camera.key or camera.role: seen.images[camera.role] for camera in self._spec.cameras
            },
            "task_description": seen.instruction,
        }
        return payload if seen.state is None else {**payload, self._options.state: seen.state}

    def _chunk(self, payload: Mapping[str, Plain]) -> ActionChunk:
        actions = payload.get("actions")
        length, dimension = self._spec.chunk_length, self._spec.action.dimension
        if not isinstance(actions, np.ndarray):
            raise PolicyError(f"{self._server_name} answered no actions but {_short(payload)}.")
        due = (length, dimension) if length > 1 else (dimension,)
        if actions.shape not in (due, (length, dimension)) or actions.dtype.kind != "f":
            raise PolicyError(
                f"{self._server_name} answered {actions.dtype} {actions.shape} where "
                f"a float {due} is due; does it run a checkpoint of the card {self._spec.name!r}?"
            )
        rows = actions.reshape(length, dimension)
        check_numbers(self._server_name, rows, self._spec.action.bound)
        extras = {"terminate": True} if payload.get("terminate_episode") is True else {}
        return ActionChunk(rows, extras=extras)

    def _send(self, episode_id: str, kind: Kind, payload: Mapping[str, Plain]) -> int:
        connection = self._conversations.of(episode_id)
        self._seqs[episode_id] += 1
        seq = self._seqs[episode_id]
        connection.send(pack(Message(kind, payload, seq, time.time())))
        return seq

    def _receive(self, connection: Connection) -> Message:
        frame = connection.receive()
        if isinstance(frame, str):
            raise self._stranger(f"sent a text ({frame[:80]!r})")
        try:
            return unpack(frame)
        except WireError as error:
            raise self._stranger(f"sent a frame that cannot be read ({error})") from error


def _short(payload: Mapping[str, Plain]) -> str:
    told = payload.get("error")
    if isinstance(told, str):
        return " ".join(told.split())[:200]
    return "the keys " + (", ".join(map(str, payload))[:80] or "of an empty map")
