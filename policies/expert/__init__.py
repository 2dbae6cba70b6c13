"""The scripted expert: it reads the simulator's state and acts through the same 7 numbers."""

from __future__ import annotations

from vlabench.policies.expert.scripted import Mind, Scripted


class Expert(Scripted):
    """A skilled robot that sees everything: it shows that an episode can be solved.

    It plans from the task's goals to skills (reach, grasp, carry, release, pull, push), closes its
    loop on the state at every step, and tries again after a miss. It takes no arguments.
    """

    def __init__(self) -> None:
        super().__init__("expert", lambda _: Mind())
