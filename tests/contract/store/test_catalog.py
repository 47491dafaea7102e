"""Environments, prompts, versions and labels."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pitcanary.errors import NotFound
from pitcanary.store import Store
from pitcanary.store.interface import ConfigVersion, LabelMoveRow, Scope
from tests.contract.store.samples import CHANGE, NAMESPACE_SALT, NOW, SCOPE, Sample


def test_an_environment_is_made_once(store: Store) -> None:
    with store.transaction() as tx:
        first = tx.environments.ensure(SCOPE, NAMESPACE_SALT)
        again = tx.environments.ensure(SCOPE, "another salt")
    with store.read() as reader:
        assert reader.environments.find(SCOPE) == reader.environments.get(first.id) == again
        assert reader.environments.list() == [first]
        assert reader.environments.find(Scope("default", "staging")) is None


def test_a_namespace_keeps_its_first_salt(store: Store) -> None:
    with store.transaction() as tx:
        tx.environments.ensure(SCOPE, NAMESPACE_SALT)
        staging = tx.environments.ensure(Scope("default", "staging"), "another salt")
        other = tx.environments.ensure(Scope("other", "production"), "another salt")
    assert staging.namespace_salt == NAMESPACE_SALT
    assert other.namespace_salt == "another salt"


def test_the_revision_rises_by_one_per_change_of_its_own_environment(store: Store) -> None:
    with store.transaction() as tx:
        first = tx.environments.ensure(SCOPE, NAMESPACE_SALT).id
        second = tx.environments.ensure(Scope("default", "staging"), NAMESPACE_SALT).id
    revisions = []
    for _ in range(3):
        with store.transaction() as tx:
            revisions.append(tx.environments.raise_revision(first))
    assert revisions == [ConfigVersion(1, revision) for revision in (1, 2, 3)]
    with store.read() as reader:
        assert reader.environments.config_version(first) == ConfigVersion(1, 3)
        assert reader.environments.config_version(second) == ConfigVersion(1, 0)


def test_a_change_that_fails_leaves_no_gap_in_the_revisions(store: Store, environment: int) -> None:
    def fail() -> None:
        with store.transaction() as tx:
            tx.environments.raise_revision(environment)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    with store.transaction() as tx:
        assert tx.environments.raise_revision(environment).revision == 1


def test_a_raised_incarnation_is_above_every_revision_before(
    store: Store, environment: int
) -> None:
    with store.transaction() as tx:
        before = tx.environments.raise_revision(environment)
    with store.transaction() as tx:
        assert tx.environments.raise_incarnation() == 2
        assert tx.environments.config_version(environment) > before


def test_unknown_environments_are_not_found(store: Store) -> None:
    with store.transaction() as tx:
        for call in (
            tx.environments.get,
            tx.environments.lock,
            tx.environments.raise_revision,
            tx.environments.config_version,
        ):
            with pytest.raises(NotFound, match="`7`"):
                call(7)


def test_a_prompt_is_made_once(store: Store, environment: int) -> None:
    with store.transaction() as tx:
        first = tx.prompts.ensure(environment, "support-reply", CHANGE)
        again = tx.prompts.ensure(environment, "support-reply", replace(CHANGE, actor="bob"))
        other = tx.prompts.ensure(environment, "greeting", CHANGE)
    assert again == first
    assert first.created == CHANGE
    with store.read() as reader:
        assert reader.prompts.list(environment) == [other, first]
        assert reader.prompts.find(environment, "support-reply") == first
        assert reader.prompts.get(environment, first.id) == first
        assert reader.prompts.find(environment, "Greeting") is None
        with pytest.raises(NotFound):
            reader.prompts.get(environment + 1, first.id)


def test_versions_are_numbered_within_prompt_and_environment(
    store: Store, environment: int
) -> None:
    with store.transaction() as tx:
        one = tx.prompts.ensure(environment, "one", CHANGE).id
        two = tx.prompts.ensure(environment, "two", CHANGE).id
        rows = [
            tx.versions.push(environment, prompt, f"sha256:{index}", b"text", CHANGE)[0]
            for index, prompt in enumerate((one, two, one))
        ]
    assert [(row.id, row.number) for row in rows] == [(1, 1), (2, 1), (3, 2)]
    with store.read() as reader:
        assert reader.versions.list(environment, one) == [rows[2], rows[0]]
        assert reader.versions.by_number(environment, one, 2) == rows[2]
        assert reader.versions.by_number(environment, two, 2) is None
        assert reader.prompts.get(environment, one).versions == 2


def test_the_same_digest_is_the_same_version(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        later = replace(CHANGE, at=NOW + timedelta(days=1))
        row, created = tx.versions.push(
            sample.environment, sample.prompt, "sha256:2", b"two", later
        )
    assert not created
    assert row.id == sample.candidate
    assert row.created == CHANGE


def test_contents_come_back_byte_for_byte(store: Store, environment: int) -> None:
    contents = {f"sha256:{size}": bytes(range(256)) * size for size in (0, 1, 300)}
    with store.transaction() as tx:
        prompt = tx.prompts.ensure(environment, "bytes", CHANGE).id
        ids = {
            tx.versions.push(environment, prompt, digest, content, CHANGE)[0].id: content
            for digest, content in contents.items()
        }
    with store.read() as reader:
        assert reader.versions.contents(environment, [*ids, 99]) == ids
        assert reader.versions.many(environment, [*ids, 99]).keys() == ids.keys()
        assert reader.versions.contents(environment, []) == {}


def test_a_version_of_an_unknown_prompt_is_not_found(store: Store, environment: int) -> None:
    with store.transaction() as tx, pytest.raises(NotFound, match="`9`"):
        tx.versions.push(environment, 9, "sha256:1", b"text", CHANGE)


def test_every_move_of_a_label_is_kept(store: Store, sample: Sample) -> None:
    later = replace(CHANGE, actor="controller", reason="promoted", at=NOW + timedelta(hours=1))
    with store.transaction() as tx:
        moved = tx.labels.move(
            sample.environment, sample.prompt, "production", sample.candidate, later, decision="1-7"
        )
        tx.labels.move(sample.environment, sample.prompt, "staging", sample.candidate, later)
    with store.read() as reader:
        label = reader.labels.find(sample.environment, sample.prompt, "production")
        assert label is not None
        assert label.version == sample.candidate
        history = reader.labels.history(sample.environment, sample.prompt, "production")
        names = [row.label for row in reader.labels.list(sample.environment)]
        newest = reader.labels.history(sample.environment, sample.prompt, limit=1)
    first = LabelMoveRow(
        sample.environment, sample.prompt, "production", None, sample.baseline, CHANGE
    )
    assert history == [moved, first]
    assert moved.from_version == sample.baseline
    assert moved.decision == "1-7"
    assert names == ["production", "staging"]
    assert [row.label for row in newest] == ["staging"]


def test_a_label_points_only_at_versions_of_its_prompt(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        other = tx.prompts.ensure(sample.environment, "other", CHANGE).id
        for version in (sample.baseline, 99):
            with pytest.raises(NotFound, match=f"`{version}`"):
                tx.labels.move(sample.environment, other, "production", version, CHANGE)
    with store.read() as reader:
        assert reader.labels.list(sample.environment, other) == []
        assert len(reader.labels.list(sample.environment, sample.prompt)) == 1


def test_environments_do_not_see_each_other(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        other = tx.environments.ensure(Scope("default", "staging"), NAMESPACE_SALT).id
    with store.read() as reader:
        assert reader.prompts.list(other) == []
        assert reader.prompts.find(other, "support-reply") is None
        assert reader.versions.list(other, sample.prompt) == []
        assert reader.versions.contents(other, [sample.baseline]) == {}
        assert reader.labels.list(other) == []
        assert reader.labels.find(other, sample.prompt, "production") is None
        assert reader.labels.history(other, sample.prompt) == []
        with pytest.raises(NotFound):
            reader.versions.get(other, sample.baseline)
