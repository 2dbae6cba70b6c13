"""What ``run.json`` says: which policy met which episodes, with what code, on what machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

import msgspec

from vlabench.errors import UsageError
from vlabench.hashing import canonical_json, content_hash
from vlabench.provenance import Checkout
from vlabench.types import SCHEMA_VERSION, Json

DECISIVE = ("python", "numpy", "mujoco", "torch", "robosuite")
"""What the versions of can change an episode."""


@dataclass(frozen=True, slots=True)
class PolicyInfo:
    """The policy of a run.

    Attributes:
        name: The name or ``module:attribute`` that it was asked for by.
        args: Its arguments, as `vlabench.secrets` lets them be written.
        spec: `vlabench.contract.specs.PolicySpec.to_json` of it.
        privileged: Whether it reads the simulator's state; such rows are marked in tables.
        code_hash: Of the source of a user's own policy; empty for one that has a name.
        params: Number of its parameters, as it declares or as they were counted where it lives;
            None where nobody knows.
        weight_type: Whether many tasks share its weights, or they were tuned to one; empty where
            nobody says.
        gpu_memory_bytes: The most that its process had allocated on graphics cards; None where
            there is none, or nobody knows.
    """

    name: str
    args: Mapping[str, Json]
    spec: Mapping[str, Json]
    privileged: bool
    code_hash: str = ""
    params: int | None = None
    weight_type: str = ""
    gpu_memory_bytes: int | None = None

    @property
    def label(self) -> str:
        """What it is called in tables."""
        return str(self.spec.get("name", self.name))

    def having_run(self, params: int | None, gpu_memory_bytes: int | None) -> PolicyInfo:
        """The same, after an episode whose record says so much of it."""
        peaks = [n for n in (self.gpu_memory_bytes, gpu_memory_bytes) if n is not None]
        known = params if self.params is None else self.params
        return replace(self, params=known, gpu_memory_bytes=max(peaks, default=None))

    @property
    def revision(self) -> str:
        """The checkpoint or state of it that it declares."""
        return str(self.spec.get("revision", ""))


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under what conditions the policy was asked, where they are not the usual ones.

    Attributes:
        latency_ms: Milliseconds of simulated time that every answer took; ``"measured"`` for those
            that each took on its machine; None where simulated time stood still.
        mismatches: In what policy and environment did not agree, and were let run all the same.
    """

    latency_ms: float | Literal["measured"] | None = None
    mismatches: tuple[str, ...] = ()

    @property
    def usual(self) -> bool:
        """Whether there is nothing to say."""
        return self == Conditions()

    @property
    def reproducible(self) -> bool:
        """Whether another machine can have them."""
        return self.latency_ms != "measured"

    @property
    def comparable(self) -> bool:
        """Whether runs of several policies under them can stand in one ranking."""
        return self.reproducible and not self.mismatches

    def to_json(self) -> dict[str, Json]:
        """Plain values, for a file or a hash."""
        return {"latency_ms": self.latency_ms, "mismatches": list(self.mismatches)}


@dataclass(frozen=True, slots=True)
class Determinism:
    """What became of a sample of episodes that was run a second time.

    Attributes:
        asked: Episodes that were to run again.
        repeated: Of those, how many did.
        flips: Names of those that succeeded once of twice.
        same_actions: How many executed the same actions, to the bit.
        same_states: How many began and ended in the same states, to the bit.
    """

    asked: int
    repeated: int
    flips: tuple[str, ...]
    same_actions: int
    same_states: int

    @property
    def flip_rate(self) -> float | None:
        """The share of episodes that flipped; None if none was repeated."""
        return len(self.flips) / self.repeated if self.repeated else None


@dataclass(frozen=True, slots=True)
class Stopping:
    """The rule by which a run ends as soon as a comparison is decided, and when it did.

    Two e-processes look at the pairs in the manifest's order, one for a regression and one for
    non-inferiority, each at level `alpha`: see `vlabench.stats.SequentialGate`. The first four
    fields are the rule, fixed before anything runs, the others are what came of it.

    Attributes:
        baseline: Name of the run that this one is compared with.
        outcomes_hash: Of that run's outcomes.
        alpha: The share of decisions that may be wrong in the long run, for each of the two.
        margin: The loss of success that counts as none, a fraction.
        decision: What was decided; None as long as nothing is.
        pairs: The pairs that it took, or all that there were; None before.
        base_only: Of those, how many only the baseline solved.
        new_only: How many only this run solved.
        asked: So many episodes of the manifest, from its first, belong to the run; the others
            were not needed. None for all of them.
    """

    baseline: str
    outcomes_hash: str
    alpha: float
    margin: float
    decision: Literal["regressed", "non-inferior"] | None = None
    pairs: int | None = None
    base_only: int | None = None
    new_only: int | None = None
    asked: int | None = None

    @property
    def rule(self) -> list[Json]:
        """What was fixed before anything ran."""
        return [self.baseline, self.outcomes_hash, self.alpha, self.margin]


@dataclass(frozen=True, slots=True)
class Session:
    """One of the times that a run was taken up again, and where."""

    created_at: str
    command: str
    os: str
    cpu: str
    git: Checkout | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """The content of ``run.json``.

    Attributes:
        run_id: Names the run; see `run_name`.
        created_at: When it was first started, ISO 8601 in UTC.
        finished_at: When its last episode was written; None until then.
        command: The command that makes this run.
        complete: Whether these are all the suite's episodes, and none but those.
        published_draws: Whether the suite is a packaged one, and the run complete.
        certified: Whether every episode has a certificate: the expert solves it in this world.
        conditions: Simulated latency, and mismatches that were allowed.
        stopping: The rule that may end it early; None for a run of all its episodes.
        determinism: What running some of its episodes again showed; None if none did.
        contract: The lines that describe the pipeline between policy and environment.
        planned: Episodes in the manifest.
        completed: Episodes with a record when this was written; only of those that were needed,
            if a rule has ended the run.
        missing: Episodes that were needed, less `completed`.
        code_hash: Of the sources that can change an episode; see `vlabench.provenance`.
        git: The checkout; None for an installed copy.
        versions: Of Python and of the packages below; equal for all episodes of a run.
        os: The operating system that it was begun on.
        cpu: The processor that it was begun on.
        sessions: The times that it was taken up again, in order; the first is told above.
        episodes_sha256: Of ``episodes.jsonl`` when every episode is in it.
    """

    run_id: str
    created_at: str
    command: str
    suite: str
    suite_version: int
    manifest_hash: str
    env_fingerprint: str
    contract: tuple[str, ...]
    contract_fingerprint: str
    policy: PolicyInfo
    world: str
    complete: bool
    published_draws: bool
    certified: bool = False
    conditions: Conditions = Conditions()
    stopping: Stopping | None = None
    determinism: Determinism | None = None
    planned: int
    completed: int = 0
    missing: int = 0
    vlabench_version: str
    code_hash: str
    git: Checkout | None
    versions: Mapping[str, str] = field(default_factory=dict)
    os: str = ""
    cpu: str = ""
    sessions: tuple[Session, ...] = ()
    finished_at: str | None = None
    episodes_sha256: str | None = None
    schema_version: str = SCHEMA_VERSION

    @property
    def asked(self) -> int:
        """How many episodes of the manifest, from its first, belong to the run."""
        asked = None if self.stopping is None else self.stopping.asked
        return self.planned if asked is None else asked

    @property
    def stopped_early(self) -> bool:
        """Whether its rule ended it before its last episode: its success rate is biased then."""
        return self.asked < self.planned

    def to_json(self) -> dict[str, Json]:
        """A dictionary that `from_json` turns back into an equal value."""
        data = asdict(self)
        return data | {
            "contract": list(self.contract),
            "conditions": self.conditions.to_json(),
            "sessions": list(data["sessions"]),
        }

    @staticmethod
    def from_json(data: Mapping[str, Json]) -> RunInfo:
        """The value that `to_json` wrote; fields of a newer minor version are left out.

        Raises:
            msgspec.ValidationError: If a field has a value of another type.
            KeyError: If one is not there.
        """
        msgspec.convert(data, RunInfo)
        sessions = (known(Session, session) for session in data.get("sessions", ()))
        nested = {
            "contract": tuple(data["contract"]),
            "policy": PolicyInfo(**known(PolicyInfo, data["policy"])),
            "conditions": _conditions(data.get("conditions", {})),
            "stopping": _stopping(data.get("stopping")),
            "determinism": _determinism(data.get("determinism")),
            "git": _checkout(data["git"]),
            "sessions": tuple(Session(**{**s, "git": _checkout(s["git"])}) for s in sessions),
        }
        return RunInfo(**{**known(RunInfo, data), **nested})

    def difference(self, other: RunInfo) -> str | None:
        """Why `other`'s episodes cannot stand in one file with this run's; None if they can."""
        pairs: dict[str, tuple[Json, Json]] = {
            "the policy": (self.policy.name, other.policy.name),
            "the policy's arguments": (dict(self.policy.args), dict(other.policy.args)),
            "the policy's revision": (self.policy.revision, other.policy.revision),
            "the policy's code": (self.policy.code_hash, other.policy.code_hash),
            "the manifest": (self.manifest_hash, other.manifest_hash),
            "the environment": (self.env_fingerprint, other.env_fingerprint),
            "the contract": (self.contract_fingerprint, other.contract_fingerprint),
            "the latency": (self.conditions.latency_ms, other.conditions.latency_ms),
            "what was allowed to mismatch": (
                list(self.conditions.mismatches),
                list(other.conditions.mismatches),
            ),
            "the rule to stop by": (_rule(self.stopping), _rule(other.stopping)),
            "the code": (self.code_hash, other.code_hash),
        }
        for name in DECISIVE:
            pairs[name] = (self.versions.get(name, "absent"), other.versions.get(name, "absent"))
        for what, (mine, theirs) in pairs.items():
            if canonical_json(mine) != canonical_json(theirs):
                return f"{what} is {_short(theirs)} now and was {_short(mine)}"
        return None


def run_name(
    policy: PolicyInfo,
    suite: str,
    manifest_hash: str,
    env_fingerprint: str,
    conditions: Conditions = Conditions(),
    stopping: Stopping | None = None,
) -> str:
    """The name that equal commands share: policy, suite, and a hash of all that they mean."""
    identity = [policy.name, dict(policy.args), policy.revision, policy.code_hash]
    identity += [manifest_hash, env_fingerprint]
    identity += [conditions.to_json()] * (not conditions.usual)
    identity += [{"stopping": _rule(stopping)}] * (stopping is not None)
    digest = content_hash(identity, length=10)
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", policy.name).strip("-.")
    return f"{readable}-{suite}-{digest}"


def known(kind: type[Any], data: Mapping[str, Json]) -> dict[str, Json]:
    """The entries of `data` that are fields of the dataclass `kind`."""
    names = {item.name for item in fields(kind)}
    return {name: value for name, value in data.items() if name in names}


def check_schema(version: str, where: str) -> None:
    """Refuses a file of a major schema version that this code does not know.

    Raises:
        UsageError: If the major version differs.
    """
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise UsageError(
            f"{where} has schema version {version}, and this vlabench reads {SCHEMA_VERSION}; "
            "read it with the version that wrote it."
        )


def _checkout(data: Mapping[str, Json] | None) -> Checkout | None:
    return None if data is None else Checkout(**known(Checkout, data))


def _stopping(data: Mapping[str, Json] | None) -> Stopping | None:
    return None if data is None else Stopping(**known(Stopping, data))


def _determinism(data: Mapping[str, Json] | None) -> Determinism | None:
    if data is None:
        return None
    found = known(Determinism, data)
    return Determinism(**{**found, "flips": tuple(found["flips"])})


def _rule(stopping: Stopping | None) -> list[Json] | str:
    return "none" if stopping is None else stopping.rule


def _conditions(data: Mapping[str, Json]) -> Conditions:
    found = known(Conditions, data)
    return Conditions(**{**found, "mismatches": tuple(found.get("mismatches", ()))})


def _short(value: Json) -> str:
    return (value or "unknown") if isinstance(value, str) else canonical_json(value)
