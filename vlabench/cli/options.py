"""Options that several commands share: what is run, where, and how it is spread."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Policy: TypeAlias = Annotated[str, typer.Option(help="A registered policy, or module:attribute.")]
Suite: TypeAlias = Annotated[
    str, typer.Option(help="A packaged suite, or the path of a YAML file.")
]
PolicyArg: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="An argument of the policy: JSON, else text."),
]
Episodes: TypeAlias = Annotated[int | None, typer.Option(help="Pairs for each task and cell.")]
Tasks: TypeAlias = Annotated[str | None, typer.Option(metavar="A,B", help="Only these tasks.")]
Seed: TypeAlias = Annotated[int | None, typer.Option(help="Other draws; marks the run.")]
Limit: TypeAlias = Annotated[int | None, typer.Option(help="Only the first so many pairs.")]
Workers: TypeAlias = Annotated[
    int | None,
    typer.Option(help="Processes; by default as many as there are cores and memory for."),
]
Recycle: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Replace a worker by a fresh one after so many episodes; 0: never. By default 1000, "
        "or when it has grown by 1 GiB.",
    ),
]
Runner: TypeAlias = Annotated[str, typer.Option(help="ray or serial.")]
RayAddress: TypeAlias = Annotated[str | None, typer.Option(help="A running Ray cluster.")]
InferenceActors: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Processes that the policy lives in, which answer all workers in batches; 0: a "
        "policy in every worker. By default one where it looks and answers several at once, "
        "or needs packages of its own.",
    ),
]
Gpus: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="FRACTION", help="GPUs for each of them; by default they share what there is."
    ),
]
BatchWaitMs: TypeAlias = Annotated[
    float, typer.Option(metavar="MS", help="How long a question waits in them for others.")
]
RenderDevice: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="cpu|N|spread",
        help="Where workers render: on the CPU, or all on this EGL device. By default each takes "
        "the next of the graphics cards of its node, those first that no policy computes on.",
    ),
]
StepTimeout: TypeAlias = Annotated[
    float,
    typer.Option(
        metavar="S",
        help="Give an attempt up after so many seconds without a control step: the policy or the "
        "simulation hangs. It is tried again as if its worker had died.",
    ),
]
Latency: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="MS|measured",
        help="Simulated time that every answer takes, while the environment runs on; "
        "measured: as long as it took, which no other machine repeats.",
    ),
]
AllowMismatch: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--allow-mismatch",
        help="Go on where policy and environment do not agree; every record says so.",
    ),
]
Out: TypeAlias = Annotated[Path | None, typer.Option(help="The run's folder.")]
Fresh: TypeAlias = Annotated[
    bool, typer.Option("--fresh", help="Start over, deleting what the folder holds.")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", help="Plain lines instead of a bar.")]
World: TypeAlias = Annotated[str, typer.Option(hidden=True)]
