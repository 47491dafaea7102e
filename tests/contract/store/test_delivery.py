"""Answers to repeated calls, and webhooks after a commit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pitcanary.errors import Conflict
from pitcanary.store import Store
from pitcanary.store.interface import IdempotencyKey, MessageRow, NewMessage, Scope
from tests.contract.store.samples import NAMESPACE_SALT, NOW

SOON = NOW + timedelta(seconds=30)


def test_the_first_answer_is_remembered(store: Store, environment: int) -> None:
    key = IdempotencyKey(environment, "push-1", b"digest")
    with store.transaction() as tx:
        assert tx.idempotency.answer(key) is None
        tx.idempotency.remember(key, b"\0answer", NOW)
        with pytest.raises(Conflict, match="`push-1`"):
            tx.idempotency.remember(key, b"another", NOW)
    with store.read() as reader:
        assert reader.idempotency.answer(key) == b"\0answer"
        with pytest.raises(Conflict, match="another request"):
            reader.idempotency.answer(replace(key, request_digest=b"other"))


def test_keys_belong_to_an_environment(store: Store, environment: int) -> None:
    key = IdempotencyKey(environment, "push-1", b"digest")
    with store.transaction() as tx:
        other = tx.environments.ensure(Scope("default", "staging"), NAMESPACE_SALT).id
        tx.idempotency.remember(key, b"here", NOW)
        tx.idempotency.remember(replace(key, environment=other), b"there", NOW)
        assert tx.idempotency.answer(key) == b"here"


def test_old_answers_are_forgotten(store: Store, environment: int) -> None:
    keys = [IdempotencyKey(environment, f"push-{day}", b"") for day in range(3)]
    with store.transaction() as tx:
        for day, key in enumerate(keys):
            tx.idempotency.remember(key, b"answer", NOW + timedelta(days=day))
        assert tx.idempotency.forget(NOW + timedelta(days=2)) == 2
        assert [tx.idempotency.answer(key) for key in keys] == [None, None, b"answer"]


def test_a_change_that_fails_sends_nothing(store: Store, environment: int) -> None:
    def fail() -> None:
        with store.transaction() as tx:
            tx.outbox.put(NewMessage(environment, "rolledback", b"{}"), NOW)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    with store.read() as reader:
        assert reader.outbox.pending() == 0


def test_messages_are_claimed_oldest_first_and_hidden(store: Store, environment: int) -> None:
    messages = [NewMessage(environment, "advanced", str(index).encode()) for index in range(3)]
    with store.transaction() as tx:
        ids = [tx.outbox.put(message, NOW) for message in messages]
    with store.transaction() as tx:
        first = tx.outbox.claim(NOW, SOON, limit=2)
        rest = tx.outbox.claim(NOW, SOON)
        assert tx.outbox.claim(NOW, SOON) == []
    assert first == [
        MessageRow(ids[0], messages[0], NOW, 1),
        MessageRow(ids[1], messages[1], NOW, 1),
    ]
    assert [row.id for row in rest] == ids[2:]
    with store.transaction() as tx:
        again = tx.outbox.claim(SOON, SOON + timedelta(seconds=30))
    assert [(row.id, row.attempts) for row in again] == [(number, 2) for number in ids]


def test_a_message_ends_delivered_or_given_up(store: Store, environment: int) -> None:
    with store.transaction() as tx:
        ids = [tx.outbox.put(NewMessage(environment, "paused", b"{}"), NOW) for _ in range(3)]
        tx.outbox.claim(NOW, SOON)
        tx.outbox.delivered(ids[0])
        tx.outbox.give_up(ids[1], "HTTP 410", NOW)
        tx.outbox.retry(ids[2], "HTTP 503", NOW)
    with store.transaction() as tx:
        assert tx.outbox.pending() == 1
        assert [row.id for row in tx.outbox.claim(SOON, SOON)] == [ids[2]]


def test_a_message_is_not_due_before_its_time(store: Store, environment: int) -> None:
    with store.transaction() as tx:
        number = tx.outbox.put(NewMessage(environment, "paused", b"{}"), NOW)
        tx.outbox.retry(number, "HTTP 503", SOON)
        assert tx.outbox.claim(SOON - timedelta(microseconds=1), SOON) == []
        assert len(tx.outbox.claim(SOON, SOON)) == 1
