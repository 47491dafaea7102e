"""Units of work: all or nothing, one at a time, and what a value may be."""

from __future__ import annotations

import contextlib
import traceback

import pytest

from pitcanary.errors import Conflict, StoreUnavailable
from pitcanary.store import Store, open_store
from pitcanary.store.interface import Change, NewEvidence, Scope
from tests.contract.store.samples import CHANGE, NAMESPACE_SALT, NOW, SCOPE


def test_an_exception_undoes_everything(store: Store) -> None:
    def fail() -> None:
        with store.transaction() as tx:
            environment = tx.environments.ensure(SCOPE, NAMESPACE_SALT).id
            tx.prompts.ensure(environment, "support-reply", CHANGE)
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    with store.read() as reader:
        assert reader.environments.list() == []


def test_a_refused_call_does_not_end_the_unit(store: Store, environment: int) -> None:
    with store.transaction() as tx:
        prompt = tx.prompts.ensure(environment, "support-reply", CHANGE).id
        with pytest.raises(ValueError, match="NUL"):
            tx.prompts.ensure(environment, "a\0b", CHANGE)
        tx.versions.push(environment, prompt, "sha256:1", b"text", CHANGE)
    with store.read() as reader:
        assert len(reader.versions.list(environment, prompt)) == 1


def test_units_do_not_nest(store: Store) -> None:
    with store.transaction() as tx:
        tx.environments.ensure(SCOPE, NAMESPACE_SALT)
        with pytest.raises(RuntimeError, match="nest"), store.read():
            pass
        with pytest.raises(RuntimeError, match="nest"), store.transaction():
            pass
    with store.read(), pytest.raises(RuntimeError, match="nest"), store.transaction():
        pass
    with store.read() as reader:
        assert len(reader.environments.list()) == 1


def test_a_reader_has_no_way_to_write(store: Store, environment: int) -> None:
    with store.read() as reader:
        for concept, method in (
            ("environments", "raise_revision"),
            ("versions", "push"),
            ("labels", "move"),
            ("rollouts", "update"),
            ("decisions", "decide"),
            ("marks", "claim"),
            ("evidence", "seal"),
            ("states", "put"),
            ("leases", "acquire"),
            ("outbox", "put"),
        ):
            assert not hasattr(getattr(reader, concept), method)
        assert not hasattr(reader, "notify")
        assert reader.environments.get(environment).revision == 0


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    store.close()
    for use in (store.read, store.transaction):
        with pytest.raises(StoreUnavailable, match="closed"), use():
            pass
    with pytest.raises(StoreUnavailable, match="closed"):
        store.subscribe()


def test_what_was_committed_is_there_after_a_restart(lasting_address: str) -> None:
    store = open_store(lasting_address)
    with store.transaction() as tx:
        environment = tx.environments.ensure(SCOPE, NAMESPACE_SALT)
        tx.environments.raise_revision(environment.id)
    store.close()
    store = open_store(lasting_address)
    with store.read() as reader:
        assert reader.environments.config_version(environment.id).revision == 1
    store.close()


def test_memory_is_gone_with_its_store() -> None:
    store = open_store("sqlite://")
    with store.transaction() as tx:
        tx.environments.ensure(SCOPE, NAMESPACE_SALT)
    other = open_store("sqlite://")
    with other.read() as reader:
        assert reader.environments.list() == []
    other.close()
    store.close()


@pytest.mark.parametrize(
    "text", ["", "ünïcode ✓ 🐤", "'; DROP TABLE prompts; --", "%s %(x)s :y", "x" * 10_000]
)
def test_any_text_comes_back(store: Store, environment: int, text: str) -> None:
    change = Change(actor=text, reason=text, at=NOW)
    with store.transaction() as tx:
        prompt = tx.prompts.ensure(environment, "support-reply", change).id
    with store.read() as reader:
        assert reader.prompts.get(environment, prompt).created == change


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800"])
def test_text_that_a_database_cannot_hold_is_refused_by_all(
    store: Store, environment: int, text: str
) -> None:
    with store.transaction() as tx, pytest.raises(ValueError, match=r"NUL|surrogate"):
        tx.prompts.ensure(environment, "support-reply", Change("ada", text, NOW))


def test_a_time_without_zone_is_refused(store: Store, environment: int) -> None:
    with store.transaction() as tx, pytest.raises(ValueError, match="time zone"):
        tx.prompts.ensure(environment, "x", Change("ada", "why", NOW.replace(tzinfo=None)))


def test_a_number_that_is_too_large_is_refused_and_ends_the_unit(store: Store) -> None:
    def put() -> None:
        with (
            store.transaction() as tx,
            pytest.raises(ValueError, match=r"(?i)out of range|too large"),
        ):
            tx.leases.acquire("leader", "replica-1", 2**60)

    with pytest.raises(RuntimeError, match="let its error end the unit"):
        put()


def test_a_reference_to_nothing_is_a_conflict(store: Store) -> None:
    def append() -> None:
        with store.transaction() as tx:
            tx.evidence.append([NewEvidence(99, 1, b"evidence")])

    with pytest.raises(Conflict, match=r"(?i)foreign key"):
        append()


def test_an_error_of_the_database_cannot_be_ignored(store: Store, environment: int) -> None:
    """PostgreSQL would undo the unit and still say that it was committed."""

    def ignore() -> None:
        with store.transaction() as tx:
            tx.environments.raise_revision(environment)
            with contextlib.suppress(Conflict):
                tx.evidence.append([NewEvidence(99, 1, b"evidence")])
            with pytest.raises(RuntimeError, match="let its error end the unit"):
                tx.environments.get(environment)

    with pytest.raises(RuntimeError, match="let its error end the unit"):
        ignore()
    with store.read() as reader:
        assert reader.environments.config_version(environment).revision == 0


def test_the_caller_s_own_errors_pass_unchanged(store: Store) -> None:
    for error in (OverflowError("sum"), ValueError("value"), Conflict("mine"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, store.transaction():
            raise error
        assert caught.value is error


def test_an_error_does_not_repeat_what_was_written(store: Store) -> None:
    words = "-".join(["what", "a", "user", "wrote"])
    with pytest.raises(Conflict) as caught, store.transaction() as tx:
        tx.evidence.append([NewEvidence(99, 1, words.encode())])
    assert words not in "".join(traceback.format_exception(caught.value))


def test_environments_are_found_by_both_names(store: Store) -> None:
    scopes = [Scope("a", "b"), Scope("a", "c"), Scope("b", "b")]
    with store.transaction() as tx:
        made = [tx.environments.ensure(scope, NAMESPACE_SALT) for scope in scopes]
    with store.read() as reader:
        assert [reader.environments.find(scope) for scope in scopes] == made
