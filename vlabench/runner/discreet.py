"""A runner whose events tell nobody the secrets that the policy was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vlabench.runner.job import Event, Events, Finished, Job, Runner, RunnerOptions
from vlabench.secrets import Secrets
from vlabench.types import EpisodeRecord, EpisodeSpec


def discreet(runner: Runner, secrets: Secrets) -> Runner:
    """The same runner, with `secrets` hidden in what went wrong and in what the policy said."""

    def run(job: Job, episodes: Sequence[EpisodeSpec], options: RunnerOptions) -> Events:
        events = runner(job, episodes, options)
        try:
            for event in events:
                yield _hidden(event, secrets)
        finally:
            events.close()

    return run


def _hidden(event: Event, secrets: Secrets) -> Event:
    if not isinstance(event, Finished):
        return replace(event, error=secrets.hide(event.error))
    record = event.record
    spoke = secrets.texts and (record.said or record.planner)
    if record.error is None and not spoke:
        return event
    return replace(event, record=_without(record, secrets))


def _without(record: EpisodeRecord, secrets: Secrets) -> EpisodeRecord:
    said = tuple(replace(one, extras=secrets.hide_in(one.extras)) for one in record.said)
    error = None if record.error is None else secrets.hide(record.error)
    planner = tuple(replace(one, said=secrets.hide_in(one.said)) for one in record.planner)
    return replace(record, error=error, said=said, planner=planner)
