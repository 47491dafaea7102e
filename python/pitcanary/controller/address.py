"""Addresses a process may listen on: malformed or open ones are refused.

Opens nothing; `controller.server` and `controller.metrics` bind what passed here.
"""

from __future__ import annotations

import ipaddress

from pitcanary.errors import SettingsRefused


def require_local(address: str) -> str:
    """Returns `address` if only this machine can reach it.

    Args:
        address: `unix:PATH`, or `HOST:PORT` with a loopback address as host.

    Raises:
        SettingsRefused: The address is malformed or other machines could reach it.

    Examples:
        >>> require_local("127.0.0.1:7071")
        '127.0.0.1:7071'
    """
    if address.startswith("unix:"):
        return address
    host, _ = split_address(address)
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise SettingsRefused(
            f"`{address}` is open to the network without encryption; listen on a loopback "
            "address or a unix socket, or say `--insecure-listen` instead of `--listen`"
        )
    return address


def split_address(address: str) -> tuple[str, int]:
    """Splits `HOST:PORT`; an IPv6 host stands in brackets and loses them.

    Raises:
        SettingsRefused: The host is neither an IP address nor `localhost`, or the
            port is not 0..65535.
    """
    host, separator, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        if host != "localhost":
            ipaddress.ip_address(host)
        number = int(port)
    except ValueError:
        number = -1
    if not separator or not 0 <= number <= 65_535:
        raise SettingsRefused(
            f"`{address}` is not an address; write `unix:PATH` or `IP:PORT`, "
            "for example `127.0.0.1:7071`"
        )
    return host, number
