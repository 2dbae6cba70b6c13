"""How a policy and an environment agree on cameras, state and actions."""
