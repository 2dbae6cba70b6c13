"""The plans of one session: when the planner is asked, what holds now, and what was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlabench.contract.extras import Heard
from vlabench.contract.planning import check_plan, in_order
from vlabench.contract.specs import PolicySpec
from vlabench.errors import PolicyError
from vlabench.plans import Plan
from vlabench.types import Planned


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """What a record says of a session's plans; all None without a planner.

    Attributes:
        planner_calls: How often the planner was asked.
        subtask_changes: How often it said another subtask than before.
        subtask_s_mean: Simulated seconds from one subtask to the next or the end, on average.
        stages_named: Stages of the task that it named.
        stages_named_in_order: Of those, how many in the task's order.
    """

    planner_calls: int | None = None
    subtask_changes: int | None = None
    subtask_s_mean: float | None = None
    stages_named: int | None = None
    stages_named_in_order: int | None = None


class PlanLog:
    """What the planner of one session has said.

    Args:
        policy: The policy's declaration, that of its planner in it.

    Attributes:
        plan: What holds now; None before anything was said.
    """

    def __init__(self, policy: PolicySpec) -> None:
        self._policy, self._planner = policy, policy.planner
        self.plan: Plan | None = None
        self._asked: int | None = None
        self._calls = self._subtasks = 0
        self._heard = Heard()
        self._named: list[str] = []

    def is_due(self, step: int) -> bool:
        """Whether the planner is to be asked now, whatever the policy does."""
        if self._planner is None or self._planner.every is None:
            return False
        return self._asked is None or step - self._asked >= self._planner.every

    def is_asked(self, step: int, due: bool) -> bool:
        """Whether the planner is asked in a question in which actions may be `due`."""
        if self._planner is None:
            return False
        return self.is_due(step) or (due and self._planner.every is None)

    def take(self, step: int, asked: bool, said: object) -> bool:
        """The answer to a question after `step` steps; whether the subtask is another one now.

        Raises:
            PolicyError: If it is not what the planner may say, or it says nothing.
        """
        if self._planner is None or not asked:
            if said is not None:
                raise PolicyError("The policy answered a plan without being asked for one.")
            return False
        if said is None:
            raise PolicyError(f"Planner {self._planner.name!r} was asked and said nothing.")
        plan = check_plan(self._planner, self._policy, said)
        another = plan.is_another(self.plan)
        self.plan, self._asked = plan, step
        self._calls += 1
        self._subtasks += another
        self._named += [name for name in (plan.stage, plan.subtask) if name]
        self._heard.add(step, plan.to_json())
        return another

    @property
    def said(self) -> tuple[Planned, ...]:
        """What is kept for the record, first things first."""
        return tuple(Planned(said.step, said.extras) for said in self._heard.said)

    @property
    def left_out(self) -> int:
        """How many changes came after those, and are not kept."""
        return self._heard.left_out

    def figures(self, stages: Sequence[str], seconds: float) -> PlanFigures:
        """The figures of a session of so many simulated seconds, of a task with these stages."""
        if self._planner is None:
            return PlanFigures()
        named, ordered = in_order(self._named, stages)
        return PlanFigures(
            planner_calls=self._calls,
            subtask_changes=max(0, self._subtasks - 1),
            subtask_s_mean=seconds / self._subtasks if self._subtasks else None,
            stages_named=named,
            stages_named_in_order=ordered,
        )
