"""Prompts and manifests as files and folders.

The only module here that reads files. A prompt may be a manifest, a plain text file
named after it, or a folder of that name with its parts:

    support-reply/
        prompt.txt (or prompt.md)     the text, or
        messages.yaml                 the messages of a chat prompt
        parameters.yaml               optional
        output_schema.json            optional
        prompt.yaml                   optional: model, syntax, labels
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pitcanary.errors import ManifestRefused
from pitcanary.manifest.document import MAX_BYTES, Document, parse
from pitcanary.manifest.load import Manifest, load, read_document
from pitcanary.manifest.prompt import PromptManifest
from pitcanary.model.json_types import JsonValue

_MANIFESTS = {".yaml", ".yml", ".json"}
_TEXTS = {".txt", ".md"}
_PARTS = ("messages", "parameters", "output_schema")


def read_path(path: Path) -> tuple[Manifest, ...]:
    """Reads a manifest file, a text file or a prompt's folder.

    Raises:
        ManifestRefused: When it is none of them, cannot be read, or is wrong.
    """
    if path.is_dir():
        return (read_folder(path),)
    if path.suffix in _MANIFESTS:
        return load(_text(path), str(path))
    if path.suffix in _TEXTS:
        return (_prompt(path, {"name": path.stem, "text": _text(path)}),)
    raise ManifestRefused(f"{path}: not a manifest (`.yaml`, `.json`), a text (`.txt`) or a folder")


def read_folder(folder: Path) -> PromptManifest:
    """Reads the folder of one prompt; its name is the folder's unless the parts say another.

    Raises:
        ManifestRefused: Without a text or messages, with both, or with other files.
    """
    fields: dict[str, JsonValue] = {"name": folder.name}
    for path in _entries(folder):
        if path.suffix in _TEXTS and path.stem == "prompt":
            fields["text"] = _text(path)
        elif path.suffix in _MANIFESTS and path.stem in _PARTS:
            fields[path.stem] = _value(path)
        elif path.suffix in _MANIFESTS and path.stem == "prompt":
            fields |= _fields(path)
        else:
            raise ManifestRefused(f"{path}: not a part of a prompt")
    return _prompt(folder, fields)


def _entries(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))


def _fields(path: Path) -> Mapping[str, JsonValue]:
    value = _value(path)
    if not isinstance(value, Mapping):
        raise ManifestRefused(f"{path}: must be a set of fields")
    return value


def _value(path: Path) -> JsonValue:
    documents = parse(_text(path), str(path))
    if len(documents) != 1:
        raise ManifestRefused(f"{path}: must hold one document")
    return documents[0].value


def _prompt(path: Path, fields: Mapping[str, JsonValue]) -> PromptManifest:
    manifest = read_document(Document(str(path), {"kind": "prompt", **fields}))
    if isinstance(manifest, PromptManifest):
        return manifest
    raise ManifestRefused(f"{path}: must be of `kind: prompt`")


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ManifestRefused(f"{path}: longer than {MAX_BYTES} bytes")
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise ManifestRefused(f"{path}: not UTF-8") from None
    except OSError as error:
        raise ManifestRefused(f"{path}: {error.strerror or error}") from None
