"""Policies: adapters and baselines, one module each.

One line here makes a policy known; other packages use the entry point group
``vlabench.policies``. The right side names a class or function that takes the ``--policy-arg``
values as keyword arguments and returns a `vlabench.contract.policy.Policy`.
"""

POLICIES = {
    "action-tokens": "vlabench.policies.tokens:ActionTokens",
    "callable": "vlabench.policies.callable:CallablePolicy",
    "expert": "vlabench.policies.expert:Expert",
    "groot-zmq": "vlabench.policies.groot:Groot",
    "lerobot": "vlabench.policies.lerobot:LeRobot",
    "noop": "vlabench.policies.noop:Noop",
    "oft-rest": "vlabench.policies.oft:OpenVlaOft",
    "openpi": "vlabench.policies.openpi:OpenPi",
    "openvla": "vlabench.policies.openvla:OpenVla",
    "openvla-oft": "vlabench.policies.openvla_oft:OpenVlaOftInProcess",
    "openvla-rest": "vlabench.policies.openvla_rest:OpenVlaRest",
    "prior": "vlabench.policies.prior:Prior",
    "random": "vlabench.policies.random:Random",
    "random-goal": "vlabench.policies.random_goal:RandomGoal",
    "remote": "vlabench.policies.remote:Remote",
    "replay": "vlabench.policies.replay:Replay",
    "skills": "vlabench.policies.skills:Skills",
    "transformers": "vlabench.policies.transformers:Transformers",
    "vla-eval": "vlabench.policies.vla_eval:VlaEval",
}

PLANNERS = {
    "stages": "vlabench.policies.stages:Stages",
}
"""What goes before a policy and a slash, as in ``stages/skills``: a class that takes the
``--policy-arg planner.KEY=VALUE`` values as keyword arguments and makes a
`vlabench.contract.planner.Planner`; the group is ``vlabench.planners``."""

WRAPPERS = {
    "blind": "vlabench.policies.masked:Blind",
    "deaf": "vlabench.policies.masked:Deaf",
    "noisy": "vlabench.policies.noisy:Noisy",
}
"""Prefix to what wraps a policy, as in ``blind:openvla``: a class that is made of the inner policy
and of the arguments that it names itself, and whose `hide` says what is left of an observation; the
group is ``vlabench.wrappers``."""
