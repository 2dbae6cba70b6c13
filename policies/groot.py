"""GR00T behind NVIDIA's ZeroMQ server, of N1.5 and of everything since N1.6.

That is ``scripts/inference_service.py``, and later ``gr00t/eval/run_gr00t_server.py`` with
``--use-sim-policy-wrapper``, of github.com/NVIDIA/Isaac-GR00T. The observation is a flat map:
``video.*`` of images, ``state.*`` of parts of the state vector, and the instruction under the name
of its annotation. N1.5 takes one session as ``(T, H, W, 3)`` and ``(T, D)`` and answers
``action.*`` of ``(T,)`` or ``(T, D)``; N1.6 takes a batch, ``(B, T, ...)``, beside ``options``, and
answers ``[{"action.*": (B, T, D)}, info]``. Which keys there are, and in which order an action
is put together, says the card; the server tells it too, and where the two differ nothing runs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vlabench.errors import ContractError, InfrastructureError, PolicyError
from vlabench.policies.arguments import seconds, text
from vlabench.policies.groot_modalities import GrootOptions, check_parts, differences
from vlabench.policies.groot_wire import GrootServer
from vlabench.policies.options import read_options
from vlabench.policies.server import GREETING_TIMEOUT_S, ServerPolicy
from vlabench.policies.vectors import check_numbers
from vlabench.types import ActionChunk, EpisodeStart, Json, Observation

VARIABLE = "GROOT_API_TOKEN"


@dataclass(eq=False, repr=False, kw_only=True)
class Groot(ServerPolicy):
    """Asks a running GR00T server.

    Args:
        url: Of the server, for example ``tcp://127.0.0.1:5555``.
        checkpoint: What the server has loaded, for example
            ``nvidia/GR00T-N1.7-LIBERO/libero_goal``: it picks the card.
        revision: The checkpoint that the server has loaded, in your words, for example its path
            and commit. The server does not tell; without it, a run cannot know that another
            checkpoint answers now, and resumes.
        card: A card file for a checkpoint that no packaged card covers, or a packaged card's name.
        connect_timeout_s: Seconds to wait for a connection.
        timeout_s: Seconds to wait for an answer; the first one may take long.
        away_s: Seconds to wait for a server that has answered before and is gone.
        api_token_env: The environment variable that holds the server's token, if it wants one.

    Raises:
        UsageError: If there is no url, a value cannot be understood, or pyzmq is not installed.
        ContractError: If a server answers there that was trained for other keys than the card's, or
            that wants another token. One that does not answer yet is asked when a session begins.
    """

    adapter = name = "groot-zmq"
    project = "GR00T"
    how = (
        "start 'python gr00t/eval/run_gr00t_server.py --model-path CHECKPOINT --embodiment-tag "
        "LIBERO_PANDA --use-sim-policy-wrapper' (N1.5: 'python scripts/inference_service.py "
        "--server') and give --policy-arg url=tcp://127.0.0.1:5555 (and --policy-arg "
        "checkpoint=CHECKPOINT)"
    )

    api_token_env: str = VARIABLE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._options = read_options(self._card, GrootOptions)
        check_parts(self._spec, self._options)
        self._server = GrootServer(
            self.name,
            self.url,
            connect_timeout_s=seconds(self.name, "connect_timeout_s", self.connect_timeout_s),
            timeout_s=seconds(self.name, "timeout_s", self.timeout_s),
            token=os.environ.get(text(self.api_token_env), ""),
            away_s=seconds(self.name, "away_s", self.away_s),
        )
        self._is_checked = False
        self._look()

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Nothing is sent of a session; a server that could not be asked before is asked now.

        Raises:
            InfrastructureError: If it is not there, or not the one that the card declares: that is
                nobody's failure in the episode.
        """
        try:
            self._check(timeout_s=None)
        except ContractError as error:
            raise InfrastructureError(str(error)) from error

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """One request for as many observations as the card's ``max_batch`` says.

        Raises:
            InfrastructureError: If the server is dead, too slow, or answers no msgpack.
            PolicyError: If it reports an error of its own, or answers no actions.
        """
        size = self._spec.max_batch
        groups = (observations[i : i + size] for i in range(0, len(observations), size))
        return [chunk for group in groups for chunk in self._ask(group)]

    def end(self, episode_ids: Sequence[str]) -> None:
        """The server has nothing to forget."""

    def close(self) -> None:
        """Hangs up; the server goes on."""
        self._server.close()

    # --- the observation ----------------------------------------------------------------------

    def _ask(self, group: Sequence[Observation]) -> list[ActionChunk]:
        if self._options.protocol == "n1.5":
            answers = [self._answered(self._request_alone(seen), 1) for seen in group]
            actions = np.concatenate(answers)
            return [ActionChunk(rows) for rows in actions]
        actions = self._answered(self._request_together(group), len(group))
        return [ActionChunk(rows, batch_size=len(group)) for rows in actions]

    def _request_alone(self, seen: Observation) -> dict[str, Json]:
        """N1.5: one session, without an axis for it; numbers as robosuite hands them out."""
        request: dict[str, Json] = {
            f"video.{camera.key}": _with_time(seen.images[camera.role], camera.history)
            for camera in self._spec.cameras
        }
        state = {f"state.{name}": part[np.newaxis] for name, part in self._parts(seen).items()}
        return {**request, **state, self._options.language: [seen.instruction]}

    def _request_together(self, group: Sequence[Observation]) -> dict[str, Json]:
        """N1.6 and later: ``(B, T, ...)``, and every number float32."""
        observation: dict[str, Json] = {
            f"video.{camera.key}": np.stack(
                [_with_time(seen.images[camera.role], camera.history) for seen in group]
            )
            for camera in self._spec.cameras
        }
        parts = [self._parts(seen) for seen in group]
        for name in self._options.state:
            together = np.stack([part[name] for part in parts]).astype(np.float32)
            observation[f"state.{name}"] = together[:, np.newaxis]
        observation[self._options.language] = [seen.instruction for seen in group]
        return {"observation": observation, "options": None}

    def _parts(self, seen: Observation) -> dict[str, npt.NDArray[np.float64]]:
        """The state vector, cut into the parts that the server knows."""
        sizes = self._options.state
        state = np.zeros(0) if seen.state is None else seen.state
        ends = np.cumsum(list(sizes.values()), dtype=int)
        return {
            name: state[end - size : end]
            for (name, size), end in zip(sizes.items(), ends, strict=True)
        }

    # --- the answer ---------------------------------------------------------------------------

    def _answered(self, request: Mapping[str, Json], sessions: int) -> npt.NDArray[Any]:
        """``(B, T, D)``, the parts joined in the card's order."""
        answer = self._server.call("get_action", request)
        if self._options.protocol != "n1.5":
            is_pair = isinstance(answer, list) and len(answer) == 2
            answer = answer[0] if is_pair else None
        names = [f"action.{name}" for name in self._options.action]
        if not isinstance(answer, dict) or answer.keys() != set(names):
            found = sorted(map(str, answer)) if isinstance(answer, dict) else type(answer).__name__
            raise PolicyError(
                f"{self._server_name} answered {found} where {names} are due; "
                f"does it run {self._options.protocol}'s server with the checkpoint of the card "
                f"{self._spec.name!r}, with --use-sim-policy-wrapper?"
            )
        parts = [
            self._part(name, answer[name], sessions, size)
            for name, size in zip(names, self._options.action.values(), strict=True)
        ]
        actions: npt.NDArray[Any] = np.concatenate(parts, axis=2)
        if sessions == 1:  # of several, only the one with a wrong number is to fail, not all
            bound = self._spec.action.bound
            check_numbers(self._server_name, actions[0], bound)
        return actions

    def _part(self, name: str, part: Json, sessions: int, size: int) -> npt.NDArray[Any]:
        due = (sessions, self._spec.chunk_length, size)
        shapes: set[tuple[int, ...]] = {due}
        if self._options.protocol == "n1.5":  # it squeezes, more or less of it by its version
            shapes = {due[1:], *([due[1:2]] if size == 1 else [])}
        if not isinstance(part, np.ndarray) or part.dtype.kind != "f" or part.shape not in shapes:
            is_array = isinstance(part, np.ndarray)
            found = f"{part.dtype} {part.shape}" if is_array else type(part).__name__
            raise PolicyError(
                f"{self._server_name} answered {name!r} as {found} where a float "
                f"{' or '.join(map(str, sorted(shapes)))} is due; does it run the checkpoint of "
                f"the card {self._spec.name!r}?"
            )
        return part.reshape(due)

    # --- the handshake ------------------------------------------------------------------------

    def _look(self) -> None:
        """Refuses a wrong server before anything runs."""
        try:
            self._check(GREETING_TIMEOUT_S)
        except InfrastructureError:
            pass  # not there yet, or busy with its first inference
        except BaseException:
            self._server.close()
            raise

    def _check(self, timeout_s: float | None) -> None:
        """Asks the server once a connection whose it is.

        Raises:
            ContractError: If it refuses, or was trained for something else than the card says.
        """
        if self._is_checked and not self._server.is_lost():
            return
        self._is_checked = False
        try:
            self._server.call("ping", timeout_s=timeout_s)
            told = self._server.call("get_modality_config", timeout_s=timeout_s)
        except PolicyError as error:
            raise ContractError(
                f"{str(error).removesuffix('.')}; if it wants a token, put it into the environment "
                "variable that --policy-arg api_token_env=NAME names."
            ) from error
        different = differences(self._spec, self._options, told)
        if different:
            raise ContractError(
                f"{self._server_name} and the card {self._spec.name!r} do not "
                f"agree: {'; '.join(different)}; serve the card's checkpoint, or give "
                "--policy-arg checkpoint=NAME or card=FILE."
            )
        self._is_checked = True


def _with_time(image: npt.NDArray[Any], history: int) -> npt.NDArray[Any]:
    return image if history > 1 else image[np.newaxis]
