"""What processes are told at their start: one frozen tree per process.

Defaults stand here and nowhere else. A flag wins over the environment, the environment
over the default. An unknown `PITCANARY_…` variable is an error with the nearest known
name, because a misspelt setting that is ignored is found in production. Nothing here
opens, binds or connects; the caller hands in flags and environment.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from pitcanary.errors import InvalidValue, SettingsRefused, nearest
from pitcanary.model.quantity import format_duration, parse_duration

PREFIX = "PITCANARY_"

OTHER_VARIABLES = frozenset({"PITCANARY_DATA", "PITCANARY_TARGET"})
"""Variables of other programs of the project, neither read nor refused here."""

# Kubernetes tells every pod about every service of its namespace; a service called
# `pitcanary-controller` appears as PITCANARY_CONTROLLER_PORT_7071_TCP_ADDR and others.
_SERVICE_LINK = re.compile(
    r"PITCANARY(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)"
)

Settings = TypeVar("Settings")
Reader = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of the mutual TLS between sidecars and controller; all or none."""

    certificate: str = ""
    key: str = ""
    authority: str = ""

    def __post_init__(self) -> None:
        given = [bool(self.certificate), bool(self.key), bool(self.authority)]
        if any(given) and not all(given):
            raise SettingsRefused(
                "TLS needs `tls_certificate`, `tls_key` and `tls_authority` together"
            )


@dataclass(frozen=True, slots=True)
class SidecarSettings:
    """Everything a sidecar process needs to start.

    `sidecar_id` empty means the host's name. `insecure_listen` opens an address that
    other machines can reach without encryption.
    """

    listen: tuple[str, ...] = ("unix:/run/pitcanary/sidecar.sock", "127.0.0.1:7070")
    insecure_listen: tuple[str, ...] = ()
    controller: str = "127.0.0.1:7071"
    data_dir: str = "/var/lib/pitcanary"
    sidecar_id: str = ""
    namespace: str = "default"
    environment: str = "production"
    metrics: str = "127.0.0.1:9464"
    workers: int = 1
    coalesce: bool = True
    replay: bool = False
    drain_seconds: float = 10.0
    tls: Tls = field(default_factory=Tls)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where rollbacks and promotions are told; `secret` signs every delivery."""

    url: str = ""
    secret: str = field(default="", repr=False)
    timeout: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """Everything a controller process needs to start.

    `name` tells replicas apart; empty means the host's name. `seed` is that of a
    replay: of everything a process would draw at random.
    """

    listen: tuple[str, ...] = ("127.0.0.1:7071",)
    insecure_listen: tuple[str, ...] = ()
    store: str = "sqlite:///pitcanary.db"
    name: str = ""
    metrics: str = "127.0.0.1:9465"
    replay: bool = False
    seed: int = 0
    drain_seconds: float = 10.0
    webhook: Webhook = field(default_factory=Webhook)
    tls: Tls = field(default_factory=Tls)


def read_settings(
    kind: type[Settings], flags: Mapping[str, object], environment: Mapping[str, str]
) -> Settings:
    """Builds the settings of a process.

    Args:
        kind: `SidecarSettings`, `ControllerSettings` or another such tree.
        flags: Values by setting name, nested ones joined by `_` (`tls_key`); None and
            names left out were not given. Text is parsed, other values taken as they are.
        environment: The process's environment.

    Raises:
        SettingsRefused: For an unknown name or a value that cannot be read.
    """
    known = dict(_leaves(kind))
    _refuse_unknown(known, flags, environment)
    values: dict[str, object] = {}
    for name, hint in known.items():
        variable = variable_name(name)
        if flags.get(name) is not None:
            values[name] = _value(hint, flags[name], f"--{name.replace('_', '-')}")
        elif variable in environment:
            values[name] = _value(hint, environment[variable], variable)
    return _build(kind, values, "")


def variable_name(setting: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{setting.upper()}"


def effective(settings: object) -> dict[str, str]:
    """The settings in force, flat and as text, secrets masked: for the log at start."""
    return dict(_texts(settings, ""))


def _leaves(kind: type, prefix: str = "") -> Iterator[tuple[str, object]]:
    hints = typing.get_type_hints(kind)
    for item in dataclasses.fields(kind):
        hint = hints[item.name]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            yield from _leaves(hint, f"{prefix}{item.name}_")
        else:
            yield f"{prefix}{item.name}", hint


def _refuse_unknown(
    known: Mapping[str, object], flags: Mapping[str, object], environment: Mapping[str, str]
) -> None:
    for name in flags:
        if name not in known:
            raise SettingsRefused(f"unknown setting `{name}`{nearest(name, known)}")
    everywhere = {
        variable_name(name)
        for kind in (SidecarSettings, ControllerSettings)
        for name, _ in _leaves(kind)
    }
    allowed = everywhere | OTHER_VARIABLES | {variable_name(name) for name in known}
    for variable in environment:
        ours = variable.startswith(PREFIX) and not _SERVICE_LINK.fullmatch(variable)
        if ours and variable not in allowed:
            raise SettingsRefused(f"unknown variable `{variable}`{nearest(variable, allowed)}")


def _build(kind: type[Settings], values: Mapping[str, object], prefix: str) -> Settings:
    hints = typing.get_type_hints(kind)
    arguments: dict[str, object] = {}
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        hint, name = hints[item.name], f"{prefix}{item.name}"
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            arguments[item.name] = _build(hint, values, f"{name}_")
        elif name in values:
            arguments[item.name] = values[name]
    return kind(**arguments)


def _value(hint: object, value: object, source: str) -> object:
    if isinstance(value, (list, tuple)):
        return tuple(value)
    if not isinstance(value, str):
        return value
    try:
        return _READERS[_plain_hint(hint)](value)
    except (ValueError, InvalidValue) as error:
        raise SettingsRefused(f"`{source}` cannot be `{value}`: {error}") from None


def _plain_hint(hint: object) -> object:
    if isinstance(hint, types.UnionType):
        (hint,) = (option for option in typing.get_args(hint) if option is not type(None))
    return hint


def _read_bool(text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in words:
        raise InvalidValue("write `true` or `false`")
    return words[text.lower()]


def _read_list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _texts(settings: object, prefix: str) -> Iterator[tuple[str, str]]:
    if not dataclasses.is_dataclass(settings) or isinstance(settings, type):
        raise TypeError("settings are a dataclass")
    for item in dataclasses.fields(settings):
        value = getattr(settings, item.name)
        name = f"{prefix}{item.name}"
        if dataclasses.is_dataclass(value):
            yield from _texts(value, f"{name}_")
        elif isinstance(value, timedelta):
            yield name, format_duration(value)
        elif isinstance(value, tuple):
            yield name, ",".join(value)
        else:
            yield name, str(value) if item.repr or not value else "***"


_READERS: Mapping[object, Reader] = {
    str: str,
    int: int,
    float: float,
    bool: _read_bool,
    timedelta: parse_duration,
    tuple[str, ...]: _read_list,
}
