"""Reaches the controller for one command and turns refusals into one clear sentence."""

from __future__ import annotations

import getpass
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, cast

import grpc
import typer

from pitcanary.cli.output import FAILED, complain
from pitcanary.errors import PitcanaryError
from pitcanary.v1 import admin_pb2 as pb
from pitcanary.v1 import admin_pb2_grpc

DEFAULT_CONTROLLER = "127.0.0.1:7071"
DEADLINE_SECONDS = 10.0
# gRPC derives an authority from a socket path that HTTP/2 servers refuse.
CHANNEL_OPTIONS = (("grpc.default_authority", "localhost"),)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


Controller = Annotated[
    str,
    typer.Option(
        "--controller",
        envvar="PITCANARY_CONTROLLER",
        help="Address of the controller: host:port or unix:/path.",
    ),
]
Namespace = Annotated[
    str, typer.Option("--namespace", envvar="PITCANARY_NAMESPACE", help="Namespace.")
]
Environment = Annotated[
    str, typer.Option("--environment", envvar="PITCANARY_ENVIRONMENT", help="Environment.")
]
Actor = Annotated[
    str, typer.Option("--actor", default_factory=_login_name, help="Who does this, for the record.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]


def scope(namespace: str, environment: str) -> pb.Scope:
    """Where a command applies."""
    return pb.Scope(namespace=namespace, environment=environment)


def idempotency_key() -> str:
    """A fresh key: a retry inside this invocation changes nothing twice."""
    return secrets.token_hex(16)


@contextmanager
def admin(controller: str) -> Iterator[admin_pb2_grpc.AdminServiceStub]:
    """The admin service; a failed call ends the program with status 1."""
    with (
        failures(controller),
        grpc.insecure_channel(controller, options=CHANNEL_OPTIONS) as channel,
    ):
        yield admin_pb2_grpc.AdminServiceStub(channel)


@contextmanager
def failures(target: str) -> Iterator[None]:
    """Prints what went wrong in one paragraph and exits with status 1."""
    try:
        yield
    except grpc.RpcError as error:
        complain(_sentence(cast("grpc.Call", error), target))
        raise typer.Exit(FAILED) from error
    except PitcanaryError as error:
        complain(str(error))
        raise typer.Exit(FAILED) from error


def _sentence(error: grpc.Call, target: str) -> str:
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return f"nobody answers at `{target}`: start `pitcanary up` or name it with --controller"
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"`{target}` did not answer within {DEADLINE_SECONDS:g} s"
    return error.details() or error.code().name
