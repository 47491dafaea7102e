"""Which calls AdminService has: one table, checked against the contract by a test.

Each entry says whether the call reads or writes and where its rule is.
"""

from __future__ import annotations

from collections.abc import Mapping

import grpc

from pitcanary.controller.admin import actions, apply, decisions, prompts, rollouts, sidecars
from pitcanary.controller.admin.calls import Call, Read, Tools, Write
from pitcanary.controller.admin.watch import RolloutNews, WatchRollout
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
    "ApplyRollout": Write(pb.ApplyRolloutRequest, pb.ApplyRolloutResponse, apply.apply_rollout),
    "ListRollouts": Read(pb.ListRolloutsRequest, rollouts.list_rollouts),
    "GetRollout": Read(pb.GetRolloutRequest, rollouts.get_rollout),
    "ActOnRollout": Write(pb.ActOnRolloutRequest, pb.ActOnRolloutResponse, actions.act_on_rollout),
    "ListDecisions": Read(pb.ListDecisionsRequest, decisions.list_decisions),
    "GetDecision": Read(pb.GetDecisionRequest, decisions.get_decision),
    "ListSidecars": Read(pb.ListSidecarsRequest, sidecars.list_sidecars),
}


def admin_service(tools: Tools, news: RolloutNews) -> grpc.GenericRpcHandler:
    """The service, to be added to a server; `news` wakes who watches."""
    calls: Mapping[str, Call] = {**CALLS, "WatchRollout": WatchRollout(news)}
    return grpc.method_handlers_generic_handler(
        SERVICE, {name: call.handler(tools) for name, call in calls.items()}
    )
