"""The planner that knows the task, before the expert and before its skills, in the real world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

import vlabench
from vlabench import report
from vlabench.contract.environment import Environment, World, draw_episode
from vlabench.contract.negotiate import negotiate
from vlabench.contract.planner import Hierarchical
from vlabench.contract.policy import Policy
from vlabench.envs.predicates import PREDICATES
from vlabench.plans import Plan, SkillCall
from vlabench.policies.expert import Expert
from vlabench.policies.expert.planner import SKILLS
from vlabench.policies.skills import Skills
from vlabench.policies.stages import SENTENCES, Stages
from vlabench.registry import WORLDS
from vlabench.rollout import RunContext, run_episode
from vlabench.testing import EXAMPLE_ENV, check_policy, example_observation
from vlabench.types import EpisodeRecord, Observation

CONTEXT = RunContext("run", "suite", 1, "hash")


@pytest.fixture(scope="module")
def world() -> World:
    made: World = WORLDS.load("tabletop")()
    return made


@pytest.fixture(scope="module")
def environment(world: World) -> Iterator[Environment]:
    made = world.make()
    yield made
    made.close()


def roll(
    world: World, environment: Environment, policy: Policy, task: str, horizon: int | None = None
) -> EpisodeRecord:
    episode = draw_episode(world, task, seed=5, index=0)
    episode = episode if horizon is None else replace(episode, horizon=horizon)
    pipeline = negotiate(policy.spec(), environment.spec())
    record, _ = run_episode(environment, policy, pipeline, episode, CONTEXT)
    return record


def test_every_predicate_has_a_sentence_and_a_skill() -> None:
    assert SENTENCES.keys() == SKILLS.keys() == set(PREDICATES)


def test_it_keeps_the_promises_of_a_policy() -> None:
    pipeline = check_policy(Hierarchical(Stages(), Skills()))
    assert pipeline.policy.name == "stages/skills"
    assert pipeline.policy.privileged


def test_skills_carry_out_a_plan_of_several_stages(world, environment) -> None:
    record = roll(world, environment, Hierarchical(Stages(), Skills()), "store-in-drawer")
    assert record.status == "success"
    told = [planned.said for planned in record.planner]
    assert [plan["stage"] for plan in told] == ["open", "in", "closed"]
    assert told[0]["subtask"] == "open the top drawer" or "drawer" in told[0]["subtask"]
    assert [plan["program"][0]["skill"] for plan in told] == ["open", "in", "closed"]
    assert (record.stages_named, record.stages_named_in_order) == (3, 3)
    assert record.subtask_changes == 2
    assert record.planner_calls == 1 + (record.steps - 1) // 10
    assert record.subtask_s_mean == pytest.approx(record.steps / 20 / 3)


def test_the_expert_acts_the_same_with_a_planner_before_it(world, environment) -> None:
    alone = roll(world, environment, Expert(), "two-in-basket")
    planned = roll(world, environment, Hierarchical(Stages(), Expert()), "two-in-basket")
    assert planned.actions_hash == alone.actions_hash
    assert planned.final_state_hash == alone.final_state_hash
    assert alone.planner == ()
    assert alone.planner_calls is None
    assert [said.said["stage"] for said in planned.planner] == ["first in", "second in"]


class Backwards(Stages):
    """Has the stages done from the last to the first."""

    def plan(self, observations):
        turned = [
            replace(
                seen,
                privileged=replace(seen.privileged, stages=seen.privileged.stages[::-1]),
            )
            for seen in observations
        ]
        return super().plan(turned)


def test_skills_do_what_the_plan_says_and_not_what_the_task_wants(world, environment) -> None:
    """A drawer that is shut before it was opened, and filled before that, is no success."""
    policy = Hierarchical(Backwards(), Skills())
    record = roll(world, environment, policy, "store-in-drawer", horizon=150)
    assert not record.success
    assert record.planner[0].said["stage"] == "closed"
    assert (record.stages_named, record.stages_named_in_order) == (1, 1)


def saying(*calls: SkillCall) -> Observation:
    pipeline = negotiate(Hierarchical(Stages(), Skills()).spec(), EXAMPLE_ENV)
    seen = pipeline.to_policy(example_observation(pipeline, "e", 0))
    return replace(seen, plan=Plan(program=calls))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (SkillCall("in", ("object", "moon")), "on 'moon', which is not there; there are behind"),
        (SkillCall("in", ("object",)), "'in' on 1 arguments"),
    ],
)
def test_a_skill_on_what_is_not_there_is_an_error_of_one_sentence(call, text) -> None:
    policy = Skills()
    policy.reset([vlabench.types.EpisodeStart("e", 0, "", EXAMPLE_ENV)])
    with pytest.raises(vlabench.errors.PolicyError, match=text):
        policy.act([saying(call)])


def test_long_horizon_shows_the_plans_in_its_table(tmp_path) -> None:
    run = vlabench.evaluate(
        "stages/skills",
        "long-horizon",
        policy_args={"planner.every": 5},
        tasks=["cook", "swap"],
        limit=2,
        runner="serial",
        out=tmp_path / "run",
    )
    assert [record.status for record in run.records] == ["success"] * 2
    table = (run.path / "tables" / "summary.txt").read_text()
    assert "stages/skills (privileged) on long-horizon v2" in table
    lines = table[table.index("Planner\n") :].splitlines()
    assert lines[1].split("  ")[-1].strip() == "n"
    rows = {line[:18].strip(): line[18:].split() for line in lines[3:6]}
    assert rows["cook"][:3] == ["100.0", "100.0", "1.0"]
    assert rows["swap"][:3] == ["100.0", "100.0", "2.0"]
    assert rows["mean over tasks"][:3] == ["100.0", "100.0", "1.5"]
    assert report.summarize(run).planning[0].n == 2
