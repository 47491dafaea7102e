"""Text to manifests: parse, check against the schema, read.

All problems that the schema finds are reported together, one line each, so that a
manifest is not corrected one field at a time.
"""

from __future__ import annotations

from collections.abc import Mapping

from pitcanary.errors import ManifestRefused, nearest
from pitcanary.manifest.document import Document, parse
from pitcanary.manifest.place import Place
from pitcanary.manifest.prompt import PromptManifest, read_prompt
from pitcanary.manifest.rollout import read_rollout
from pitcanary.manifest.schema import KINDS, problems
from pitcanary.model.json_types import JsonValue
from pitcanary.model.spec import RolloutSpec

Manifest = RolloutSpec | PromptManifest


def load(text: str, file: str) -> tuple[Manifest, ...]:
    """Reads every manifest of a YAML or JSON text, in order.

    Args:
        text: The text.
        file: What errors call it.

    Raises:
        ManifestRefused: Naming every problem with file, line and field.
    """
    documents = parse(text, file)
    if not documents:
        raise ManifestRefused(f"{file}: holds no manifest; begin with `kind: rollout`")
    return tuple(read_document(document) for document in documents)


def load_rollout(text: str, file: str) -> RolloutSpec:
    """Reads a text that holds one rollout and nothing else.

    Raises:
        ManifestRefused: As `load`, and when there is anything else.
    """
    manifests = load(text, file)
    if len(manifests) == 1 and isinstance(manifests[0], RolloutSpec):
        return manifests[0]
    raise ManifestRefused(f"{file}: must hold one manifest of `kind: rollout`")


def rollout_from_plain(value: JsonValue, file: str = "specification") -> RolloutSpec:
    """Reads a rollout from plain values, as the API receives it.

    Raises:
        ManifestRefused: Naming every problem with its field.
    """
    manifest = read_document(Document(file, value))
    if isinstance(manifest, RolloutSpec):
        return manifest
    raise ManifestRefused(f"{file}: must be of `kind: rollout`")


def read_document(document: Document) -> Manifest:
    """Reads one document of any kind.

    Raises:
        ManifestRefused: Naming every problem with file, line and field.
    """
    kind = _kind(document)
    found = [document.problem(path, what) for path, what in problems(kind, document)]
    if found:
        raise ManifestRefused("\n".join(found))
    root = Place.root(document)
    return read_rollout(root) if kind == "rollout" else read_prompt(root)


def _kind(document: Document) -> str:
    if not isinstance(document.value, Mapping):
        raise ManifestRefused(document.problem((), "a manifest is a set of fields"))
    kind = document.value.get("kind")
    if kind in KINDS:
        return str(kind)
    if kind is None:
        raise ManifestRefused(
            document.problem((), "field `kind` is missing; write `kind: rollout`")
        )
    hint = nearest(str(kind), KINDS)
    raise ManifestRefused(document.problem(("kind",), f"cannot be `{kind}`{hint}"))
