"""A policy that tells everybody the key that it was given."""

from __future__ import annotations

import os

import numpy as np
from harness_fakes import FakePolicy

from vlabench.errors import InfrastructureError
from vlabench.types import ActionChunk, Observation


class Careless(FakePolicy):
    """Its `way` is how the secrets get out: by an error, a lost server, or what it says."""

    def __init__(self, way: str, api_key: str = "", password: str = "", key_env: str = "") -> None:
        self.way = way
        self.secrets = f"{api_key} {password} {os.environ.get(key_env, '')}".strip()

    def actions(self, observation: Observation) -> np.ndarray:
        if self.way == "error":
            raise RuntimeError(f"401 for {self.secrets}")
        if self.way == "lost":
            raise InfrastructureError(f"the server does not know {self.secrets}")
        return super().actions(observation)

    def act(self, observations):
        told = {"debug": [f"asked with {self.secrets}"]} if self.way == "said" else {}
        return [ActionChunk(self.actions(one), extras=told) for one in observations]
