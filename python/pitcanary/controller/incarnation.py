"""What to do about a sidecar that holds more than the store.

Revisions never go back by themselves, so a sidecar that is ahead means that the
store was restored from a backup or started anew. Sidecars refuse a lower version;
unless the store's incarnation rises above theirs, no rollback would reach them.
"""

from __future__ import annotations

import logging

from pitcanary.controller.access import StoreAccess
from pitcanary.controller.writer import Priority
from pitcanary.errors import Conflict
from pitcanary.store.interface import ConfigVersion, Notice, SidecarHello, Topic, Transaction

log = logging.getLogger(__name__)

LARGEST_STEP = 16
"""How many incarnations a sidecar may be ahead before it is taken for a stranger."""


async def overtake(access: StoreAccess, hello: SidecarHello) -> None:
    """Raises the store's incarnation if a sidecar holds a version above the stored one.

    Raises:
        Conflict: The sidecar is so far ahead that it belongs to another store.
    """
    held = hello.serving
    if held is None:
        return
    stored = await access.read(lambda reader: reader.environments.config_version(hello.environment))
    if held <= stored:
        return
    if held.store_incarnation - stored.store_incarnation > LARGEST_STEP:
        raise Conflict(
            f"sidecar `{hello.sidecar_id}` holds configuration of incarnation "
            f"`{held.store_incarnation}`, this store is at `{stored.store_incarnation}`; point "
            "the sidecar at its own controller or empty its data folder"
        )
    raised = await access.write(
        Priority.CHANGE, lambda transaction: _raise(transaction, hello.environment, held)
    )
    log.error(
        "store_was_behind sidecar=%s held=%d.%d stored=%d.%d incarnation=%d",
        hello.sidecar_id, held.store_incarnation, held.revision,
        stored.store_incarnation, stored.revision, raised,
    )  # fmt: skip


def _raise(transaction: Transaction, environment: int, held: ConfigVersion) -> int:
    while transaction.environments.config_version(environment) < held:
        transaction.environments.raise_incarnation()
    transaction.notify(Notice(Topic.CONFIG))
    return transaction.environments.store_incarnation()
