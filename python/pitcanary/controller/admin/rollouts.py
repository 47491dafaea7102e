"""Reading rollouts: one, or all of a prompt.

What a rollout looks like to people is made in `admin.view`.
"""

from __future__ import annotations

from pitcanary.controller.admin.calls import Moment
from pitcanary.controller.admin.decisions import find_rollout
from pitcanary.controller.admin.prompts import find_prompt
from pitcanary.controller.admin.scope import existing
from pitcanary.controller.admin.view import rollout_header, rollout_info
from pitcanary.store.interface import Reader
from pitcanary.v1 import admin_pb2


def list_rollouts(
    reader: Reader, request: admin_pb2.ListRolloutsRequest, _moment: Moment
) -> admin_pb2.ListRolloutsResponse:
    """Reads rollouts in short, newest first; their views are read one by one."""
    environment = existing(reader, request.scope).id
    prompt = find_prompt(reader, environment, request.prompt).id if request.prompt else None
    rows = reader.rollouts.list(environment, prompt)
    return admin_pb2.ListRolloutsResponse(rollouts=[rollout_header(reader, row) for row in rows])


def get_rollout(
    reader: Reader, request: admin_pb2.GetRolloutRequest, moment: Moment
) -> admin_pb2.GetRolloutResponse:
    """Reads one rollout with what its evidence says now."""
    environment = existing(reader, request.scope).id
    row = find_rollout(reader, environment, request.name)
    return admin_pb2.GetRolloutResponse(rollout=rollout_info(reader, row, moment))
