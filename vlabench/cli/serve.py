"""``vlabench serve``: let others ask a policy over the network."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from vlabench.errors import UnknownNameError, UsageError
from vlabench.naming import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from vlabench.contract.specs import PolicySpec
    from vlabench.serving.server import Protocol, Server

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Where only this machine can connect."""

PROTOCOLS = ("remote", "openpi")


def serve_command(
    policy: Annotated[str, typer.Argument(help="A registered policy, or module:attribute.")],
    policy_arg: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="An argument of the policy: JSON, else text."),
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    protocol: Annotated[str, typer.Option(help="remote or openpi.")] = "remote",
    token_env: Annotated[
        str, typer.Option(metavar="NAME", help="Environment variable with the clients' API key.")
    ] = "",
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="PART=KEY", help="What openpi's clients call a part of what is seen."),
    ] = None,
    batch_wait_ms: Annotated[
        float | None, typer.Option(min=0, help="Longest wait of a session for others.")
    ] = None,
) -> None:
    """Let others ask a policy over the network, until Ctrl-C.

    What is under way when it stops is answered; a second Ctrl-C stops at once.
    """
    from vlabench.cli.eval import parse_policy_args
    from vlabench.cli.stopping import INTERRUPTED
    from vlabench.runner.job import BATCH_WAIT_MS, make_policy, requirements_of
    from vlabench.serving.packages import check_packages
    from vlabench.serving.server import Server

    args = parse_policy_args(policy_arg or [])
    talk = _protocol(protocol, key or [])
    token = _token(token_env)
    check_packages(policy, requirements_of(policy, args))
    server = Server(
        lambda: make_policy(policy, args),
        talk,
        address=host,
        port=port,
        token=token,
        wait_ms=BATCH_WAIT_MS if batch_wait_ms is None else batch_wait_ms,
    )
    server.start()
    _stop_on_signals(server)
    _announce(server, protocol, host, bool(token))
    try:
        server.run()
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    typer.echo("Stopped.")


def _protocol(name: str, keys: list[str]) -> Callable[[PolicySpec], Protocol]:
    from vlabench.serving.openpi import openpi_protocol
    from vlabench.serving.remote import remote_protocol

    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS, "--protocol")
    if name == "openpi":
        return openpi_protocol(dict(map(_pair, keys)))
    if keys:
        raise UsageError("--key belongs to --protocol openpi; leave it out.")
    return remote_protocol


def _pair(text: str) -> tuple[str, str]:
    part, equals, key = text.partition("=")
    if not (part and equals and key):
        raise UsageError(f"--key {text!r} is not of the form PART=KEY; write it so.")
    return part, key


def _token(variable: str) -> str:
    if not variable:
        return ""
    token = os.environ.get(variable, "")
    if not token.strip():
        raise UsageError(
            f"The environment variable {variable} of --token-env holds no API key; set it."
        )
    return token.strip()


def _announce(server: Server, protocol: str, host: str, guarded: bool) -> None:
    if host not in LOOPBACK:
        who = "anyone who has the API key" if guarded else "anyone who can reach it, without a key"
        typer.echo(
            f"Warning: {host} is open to other machines: {who} can use the policy, and what is "
            "sent can be read on the way.",
            err=True,
        )
    told = f"Serving {server.spec.name} over {protocol} at {server.url}; Ctrl-C stops it."
    typer.echo(one_line(told))


def _stop_on_signals(server: Server) -> None:
    """The first signal stops `server` when it has answered; the next one ends the process."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        server.stop()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
