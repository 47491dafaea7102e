"""Reading who takes part and what each sidecar serves.

Answers from the store, so every replica gives the same answer; how fast a change
reached them is measured in `controller.hub`.
"""

from __future__ import annotations

from datetime import datetime

from pitcanary.controller.admin.calls import Moment
from pitcanary.controller.admin.prompts import timestamp
from pitcanary.controller.admin.scope import existing
from pitcanary.controller.analysis.facts import is_connected
from pitcanary.controller.connection import version_message
from pitcanary.store.interface import Reader, SidecarRow
from pitcanary.v1 import admin_pb2


def list_sidecars(
    reader: Reader, request: admin_pb2.ListSidecarsRequest, moment: Moment
) -> admin_pb2.ListSidecarsResponse:
    """Reads all sidecars, ascending by id."""
    environment = existing(reader, request.scope).id
    current = reader.environments.config_version(environment)
    return admin_pb2.ListSidecarsResponse(
        sidecars=[_info(row, moment.at) for row in reader.sidecars.list(environment)],
        config_version=version_message(current),
    )


def _info(row: SidecarRow, at: datetime) -> admin_pb2.SidecarInfo:
    return admin_pb2.SidecarInfo(
        sidecar_id=row.hello.sidecar_id,
        build=row.hello.build,
        connected=is_connected(row, at),
        acknowledged=version_message(row.acknowledged) if row.acknowledged else None,
        nack_reason=row.refusal if row.refused else "",
        seen_at=timestamp(row.seen_at),
    )
