"""The gRPC server's edges: where it listens, what it accepts, when it hangs up.

Knows no service and no store. An address that other machines can reach needs
mutual TLS, or must be asked for by name (`insecure_listen`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import grpc

from pitcanary.config import ControllerSettings, Tls
from pitcanary.controller.address import require_local, split_address
from pitcanary.errors import SettingsRefused

# Sidecars ping every 10 s; gRPC's default hangs up on pings under 5 min apart.
PING_TOLERANCE_MS = 5_000
CONCURRENT_STREAMS = 100


def create(message_bytes: int) -> grpc.aio.Server:
    """Makes a server that takes messages up to a size; it serves nothing yet."""
    return grpc.aio.server(
        options=[
            ("grpc.so_reuseport", 0),  # two controllers on one port would share it by chance
            ("grpc.max_receive_message_length", message_bytes),
            ("grpc.max_send_message_length", -1),  # a snapshot is as large as its prompts
            ("grpc.max_concurrent_streams", CONCURRENT_STREAMS),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", PING_TOLERANCE_MS),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.keepalive_time_ms", 20_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.http2.max_pings_without_data", 0),
        ]
    )


def bind(server: grpc.aio.Server, settings: ControllerSettings) -> tuple[str, ...]:
    """Binds every address and returns them with the ports that were given for port 0.

    Raises:
        SettingsRefused: An address is malformed, taken, or open to the network
            without TLS.
    """
    credentials = _credentials(settings.tls)
    bound = _bind(server, settings.insecure_listen, None)
    if credentials is None:
        local = [require_local(address) for address in settings.listen]
        return (*_bind(server, local, None), *bound)
    return (*_bind(server, settings.listen, credentials), *bound)


def _credentials(tls: Tls) -> grpc.ServerCredentials | None:
    if not tls.certificate:
        return None
    try:
        pair = (Path(tls.key).read_bytes(), Path(tls.certificate).read_bytes())
        authority = Path(tls.authority).read_bytes()
    except OSError as error:
        raise SettingsRefused(f"a TLS file cannot be read: {error}") from None
    return grpc.ssl_server_credentials([pair], authority, require_client_auth=True)


def _bind(
    server: grpc.aio.Server,
    addresses: Sequence[str],
    credentials: grpc.ServerCredentials | None,
) -> list[str]:
    bound: list[str] = []
    for address in addresses:
        local_socket = address.startswith("unix:")
        if not local_socket:
            split_address(address)
        try:
            if credentials is None or local_socket:
                port = server.add_insecure_port(address)
            else:
                port = server.add_secure_port(address, credentials)
        except RuntimeError:
            raise SettingsRefused(
                f"`{address}` cannot be bound: another process may listen there"
            ) from None
        bound.append(address if local_socket else f"{address.rpartition(':')[0]}:{port}")
    return bound
