"""Which calls AdminService has: one table, checked against the contract by a test.

Each entry says whether the call reads or writes and where its rule is.
"""

from __future__ import annotations

from collections.abc import Mapping

import grpc

from pitcanary.controller.admin import decisions, prompts, sidecars
from pitcanary.controller.admin.calls import Call, Read, Tools, Write
from pitcanary.v1 import admin_pb2 as pb

SERVICE = "pitcanary.v1.AdminService"

CALLS: Mapping[str, Call] = {
    "PushVersion": Write(
        pb.PushVersionRequest, pb.PushVersionResponse, prompts.push_version, creates=True
    ),
    "ListPrompts": Read(pb.ListPromptsRequest, prompts.list_prompts),
    "ListVersions": Read(pb.ListVersionsRequest, prompts.list_versions),
    "GetVersion": Read(pb.GetVersionRequest, prompts.get_version),
    "MoveLabel": Write(pb.MoveLabelRequest, pb.MoveLabelResponse, prompts.move_label),
    "ListDecisions": Read(pb.ListDecisionsRequest, decisions.list_decisions),
    "GetDecision": Read(pb.GetDecisionRequest, decisions.get_decision),
    "ListSidecars": Read(pb.ListSidecarsRequest, sidecars.list_sidecars),
}


def admin_service(tools: Tools) -> grpc.GenericRpcHandler:
    """The service, to be added to a server."""
    return grpc.method_handlers_generic_handler(
        SERVICE, {name: call.handler(tools) for name, call in CALLS.items()}
    )
