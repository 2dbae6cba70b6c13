"""Policies: adapters and baselines, one module each.

One line here makes a policy known; other packages use the entry point group
``vlabench.policies``. The right side names a class or function that takes the ``--policy-arg``
values as keyword arguments and returns a `vlabench.contract.policy.Policy`.
"""

POLICIES = {
    "callable": "vlabench.policies.callable:CallablePolicy",
    "expert": "vlabench.policies.expert:Expert",
    "noop": "vlabench.policies.noop:Noop",
    "openvla": "vlabench.policies.openvla:OpenVla",
    "random": "vlabench.policies.random:Random",
}
