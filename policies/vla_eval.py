"""Any model behind a server of vla-eval, ``vla-eval serve`` of allenai/vla-evaluation-harness.

The protocol is that of ``src/vla_eval/connection.py`` and ``model_servers/serve.py``: one websocket
a session, over which go a hello (answered by what the server says of itself), ``episode_start``,
then observations, each answered by an action or an error, and ``episode_end``. A server that makes
chunks keeps them itself and hands out one action for each observation. What the numbers mean stands
in the cards ``cards/vla-eval-*.yaml``, and a server whose hello contradicts its card is refused.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from pydantic import BaseModel, ConfigDict

from vlabench.contract.specs import PolicySpec
from vlabench.contract.wire import Plain, WireError
from vlabench.errors import ContractError, InfrastructureError, PolicyError, UsageError
from vlabench.policies.arguments import count, seconds, text
from vlabench.policies.card import FromCard, find_card
from vlabench.policies.conversations import GREETING_TIMEOUT_S, Conversations, look
from vlabench.policies.options import read_options
from vlabench.policies.vectors import check_numbers
from vlabench.policies.vla_eval_frames import Kind, Message, pack, unpack
from vlabench.policies.vla_eval_hello import PROTOCOL_VERSION, differences
from vlabench.policies.websocket import Connection
from vlabench.types import ActionChunk, EpisodeStart, Observation

_NAME = "vla-eval"


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


class VlaEval(FromCard):
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
        attempts: How often to try for a connection.

    Raises:
        UsageError: If there is no url, or a value cannot be understood.
    """

    adapter = _NAME

    def __init__(
        self,
        url: str = "",
        *,
        checkpoint: str = "",
        revision: str = "",
        card: str = "",
        connect_timeout_s: str | float = 30.0,
        timeout_s: str | float = 600.0,
        attempts: str | int = 3,
    ) -> None:
        self._url = text(url)
        if not self._url:
            raise UsageError(
                f"Policy {_NAME!r} has no url; start vla-eval's 'vla-eval serve --config "
                "configs/model_servers/MODEL/SUITE.yaml' and give --policy-arg "
                "url=ws://127.0.0.1:8000 --policy-arg checkpoint=CHECKPOINT."
            )
        self._connect_timeout_s = seconds(_NAME, "connect_timeout_s", connect_timeout_s)
        self._timeout_s = seconds(_NAME, "timeout_s", timeout_s)
        self._attempts = count(_NAME, "attempts", attempts)
        chosen = find_card(self.adapter, text(checkpoint), text(card))
        self._spec = replace(chosen.spec(), revision=text(revision))
        self._options = read_options(chosen, VlaEvalOptions)
        self._connection()  # a wrong url is told now
        self._conversations = Conversations(self._connection, self._greet)
        self._looked = False
        self._seqs: dict[str, int] = {}

    def spec(self) -> PolicySpec:
        """What its card and arguments declare, once a server that is there does not contradict.

        Raises:
            UsageError: If the server's hello contradicts the card; the text names both sides.
        """
        if not self._looked:
            look(self._connection(hurried=True), self._greet)
            self._looked = True
        return self._spec

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Opens a connection for each session and says which task begins.

        Raises:
            InfrastructureError: If the server cannot be reached, or is not what the card declares.
        """
        for start in starts:
            self._conversations.begin(start.episode_id)
            self._seqs[start.episode_id] = 1
            task = {"name": start.instruction, **self._options.task}
            self._send(start.episode_id, "episode_start", {"task": task})

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """One request for each observation.

        Raises:
            InfrastructureError: If the server is dead, too slow, or sends no frame of vla-eval's.
            PolicyError: If it reports an error of its own, or answers no such action.
        """
        return [self._ask(seen) for seen in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Says that the episodes are over, and closes their connections."""
        for episode_id in episode_ids:
            # the server learns no result, and one that is gone need not be told either
            with suppress(InfrastructureError):
                self._send(episode_id, "episode_end", {})
            self._seqs.pop(episode_id, None)
        self._conversations.end(episode_ids)

    def close(self) -> None:
        """Closes all connections."""
        self._conversations.close()

    def _connection(self, *, hurried: bool = False) -> Connection:
        longest = GREETING_TIMEOUT_S if hurried else math.inf
        return Connection(
            _NAME,
            self._url,
            connect_timeout_s=min(self._connect_timeout_s, longest),
            timeout_s=min(self._timeout_s, longest),
            attempts=1 if hurried else self._attempts,
        )

    def _greet(self, connection: Connection) -> None:
        payload = {"harness_version": "vlabench", "protocol_version": PROTOCOL_VERSION}
        connection.send(pack(Message("hello", payload, 1, time.time())))
        answer = self._receive(connection)
        if answer.kind != "hello":
            raise self._stranger(f"answered a hello with {answer.kind!r} {_short(answer.payload)}")
        found = differences(answer.payload, self._spec, f"the card {self._spec.name!r}")
        if found:
            raise ContractError(
                f"The server of policy {_NAME!r} at {self._url} is not what was declared: "
                f"{'; '.join(found)}; start it with the card's checkpoint, or give --policy-arg "
                "checkpoint=NAME or --policy-arg card=FILE."
            )

    def _ask(self, seen: Observation) -> ActionChunk:
        seq = self._send(seen.episode_id, "observation", self._payload(seen))
        answer = self._receive(self._conversations.of(seen.episode_id))
        if answer.kind == "error":
            raise PolicyError(
                f"vla-eval's server at {self._url} answered with an error "
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
            raise PolicyError(
                f"vla-eval's server at {self._url} answered no actions but {_short(payload)}."
            )
        due = (length, dimension) if length > 1 else (dimension,)
        if actions.shape not in (due, (length, dimension)) or actions.dtype.kind != "f":
            raise PolicyError(
                f"vla-eval's server at {self._url} answered {actions.dtype} {actions.shape} where "
                f"a float {due} is due; does it run a checkpoint of the card {self._spec.name!r}?"
            )
        rows = actions.reshape(length, dimension)
        check_numbers(f"vla-eval's server at {self._url}", rows, self._spec.action.bound)
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

    def _stranger(self, what: str) -> InfrastructureError:
        return InfrastructureError(
            f"The server of policy {_NAME!r} at {self._url} {what}; see that 'vla-eval serve' runs "
            "there, and run the same command again."
        )


def _short(payload: Mapping[str, Plain]) -> str:
    told = payload.get("error")
    if isinstance(told, str):
        return " ".join(told.split())[:200]
    return "the keys " + (", ".join(map(str, payload))[:80] or "of an empty map")
