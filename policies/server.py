"""What adapters of other projects' servers share: an address, a card, and how long to wait."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from vlabench.contract.specs import PolicySpec
from vlabench.errors import UsageError
from vlabench.policies.arguments import text
from vlabench.policies.card import FromCard, find_card
from vlabench.policies.patience import AWAY_S

GREETING_TIMEOUT_S = 5.0
"""Seconds for a look at a server before anything runs; one that is busy is looked at later."""


@dataclass(eq=False, repr=False, kw_only=True)
class ServerPolicy(FromCard):
    """A policy that a server of another project has loaded; its fields are what the user gives.

    Attributes:
        name: What the user calls the policy.
        project: Whose server it is, in errors.
        how: How such a server is started and named; told where there is no url.
        url: Of the server.
        checkpoint: What the server has loaded: it picks the card.
        revision: Which weights those are, in the user's words, since the server does not tell.
        card: A card file for a checkpoint that no packaged card covers, or a packaged card's name.
        connect_timeout_s: Seconds to wait for a connection.
        timeout_s: Seconds to wait for an answer.
        away_s: Seconds to wait for a server that has answered before and is gone.

    Raises:
        UsageError: If there is no url, or a value cannot be understood.
    """

    name: ClassVar[str]
    project: ClassVar[str]
    how: ClassVar[str]

    url: str = field(default="", kw_only=False)
    checkpoint: str = ""
    revision: str = ""
    card: str = ""
    connect_timeout_s: str | float = 5.0
    timeout_s: str | float = 120.0
    away_s: str | float = AWAY_S

    def __post_init__(self) -> None:
        self.url = text(self.url)
        if not self.url:
            raise UsageError(f"Policy {self.name!r} has no url; {self.how}.")
        self._card = find_card(self.adapter, text(self.checkpoint), text(self.card))
        self._spec = self._card.spec(text(self.revision))

    def spec(self) -> PolicySpec:
        """What its card and arguments declare."""
        return self._spec

    @property
    def _server_name(self) -> str:
        return f"{self.project}'s server at {self.url}"
