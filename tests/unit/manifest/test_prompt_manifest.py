"""Prompts as manifests, files and folders; schemas that never leave their document."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pitcanary.errors import InvalidValue, ManifestRefused
from pitcanary.manifest.files import read_path
from pitcanary.manifest.load import load
from pitcanary.manifest.prompt import PromptManifest
from pitcanary.manifest.schema import compile_schema
from pitcanary.model.prompt import Message, PromptContent, Syntax

CHAT = """\
kind: prompt
name: support-reply
model: gpt-4o-mini
syntax: jinja
messages:
  - role: system
    content: |
      Be kind.
  - {role: user, content: "{{ question }}"}
parameters: {temperature: 0.2, stop: ["\\n"]}
output_schema: {type: object, required: [answer]}
labels: [production]
"""


def prompt(text: str) -> PromptManifest:
    (manifest,) = load(text, "p.yaml")
    assert isinstance(manifest, PromptManifest)
    return manifest


def test_a_chat_prompt_says_exactly_this() -> None:
    assert prompt(CHAT) == PromptManifest(
        name="support-reply",
        content=PromptContent.of(
            (Message("system", "Be kind.\n"), Message("user", "{{ question }}")),
            syntax=Syntax.JINJA,
            parameters={"temperature": 0.2, "stop": ["\n"]},
            output_schema={"type": "object", "required": ["answer"]},
            model="gpt-4o-mini",
        ),
        labels=("production",),
    )


def test_a_text_prompt_may_be_empty() -> None:
    assert prompt('kind: prompt\nname: p\ntext: ""').content == PromptContent.of("")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("messages:", "text: x\nmessages:", "exactly one of `text` and", id="both"),
        pytest.param("role: system\n    ", "", "`messages\\[0\\]`: field `role`", id="no role"),
        pytest.param("temperature: 0.2", "temperature: .nan", "not finite", id="not a number"),
        pytest.param("syntax: jinja", "syntax: mako", "`plain`", id="another syntax"),
        pytest.param(
            "type: object", "type: objct", "p.yaml:11: `output_schema`: not a usable", id="no type"
        ),
        pytest.param("labels: [pro", "labels: [a, a, pro", "p.yaml:12: `labels`", id="twice"),
    ],
)
def test_what_is_no_prompt_is_refused(old: str, new: str, message: str) -> None:
    assert old in CHAT
    with pytest.raises(ManifestRefused, match=message):
        prompt(CHAT.replace(old, new, 1))


def test_neither_text_nor_messages_is_refused() -> None:
    with pytest.raises(ManifestRefused, match="exactly one of `text` and `messages`"):
        prompt("kind: prompt\nname: p")


def test_a_refusal_never_shows_prompt_text() -> None:
    wrong = CHAT.replace("role: system", "role: ''").replace("Be kind.", "SECRET")
    with pytest.raises(ManifestRefused) as caught:
        prompt(wrong)
    assert "SECRET" not in str(caught.value)
    with pytest.raises(ManifestRefused) as caught:
        prompt("kind: prompt\nname: p\ntext: [SECRET]\nmodel: 3")
    assert "SECRET" not in str(caught.value)


# --- schemas ----------------------------------------------------------------------


def test_a_reference_to_a_file_is_refused_and_not_read(tmp_path: Path) -> None:
    """The engine's own retriever reads the file and quotes it in errors."""
    secret = tmp_path / "secret.json"
    secret.write_text('{"const": "SECRET"}', encoding="utf-8")
    with pytest.raises(InvalidValue, match="never fetched") as caught:
        compile_schema({"$ref": secret.as_uri()})
    assert "SECRET" not in str(caught.value)
    text = f"kind: prompt\nname: p\ntext: x\noutput_schema: {{$ref: '{secret.as_uri()}'}}"
    with pytest.raises(ManifestRefused, match=r"p\.yaml:4: `output_schema`"):
        prompt(text)


@contextmanager
def web_server(requests: list[str]) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("where", ["$ref", "$dynamicRef", "$schema"])
def test_a_reference_to_the_web_is_never_fetched(where: str) -> None:
    requests: list[str] = []
    with web_server(requests) as address, pytest.raises(InvalidValue):
        compile_schema({where: f"{address}/schema.json"})
    assert requests == []


def test_local_references_work() -> None:
    schema = compile_schema({"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}})
    assert schema.is_valid(1)
    assert not schema.is_valid("1")


def test_patterns_are_linear() -> None:
    with pytest.raises(InvalidValue, match="not a usable"):
        compile_schema({"pattern": "(?=a)b"})
    schema = compile_schema({"pattern": "^(a|a)*$"})
    assert not schema.is_valid("a" * 20_000 + "!")


# --- files ------------------------------------------------------------------------


def test_a_folder_is_a_prompt(tmp_path: Path) -> None:
    folder = tmp_path / "support-reply"
    folder.mkdir()
    (folder / "prompt.md").write_bytes("Grüße {{name}}\r\n".encode())
    (folder / "parameters.yaml").write_text("temperature: 0.2\n", encoding="utf-8")
    (folder / "output_schema.json").write_text('{"type": "object"}', encoding="utf-8")
    (folder / "prompt.yaml").write_text("model: gpt-4o-mini\nlabels: [a]\n", encoding="utf-8")
    (folder / ".DS_Store").write_bytes(b"\xff")
    expected = PromptContent.of(
        "Grüße {{name}}\r\n",
        parameters={"temperature": 0.2},
        output_schema={"type": "object"},
        model="gpt-4o-mini",
    )
    assert read_path(folder) == (PromptManifest("support-reply", expected, ("a",)),)


def test_a_folder_of_messages_is_a_chat_prompt(tmp_path: Path) -> None:
    (tmp_path / "messages.yaml").write_text("- {role: user, content: hi}\n", encoding="utf-8")
    (manifest,) = read_path(tmp_path)
    assert isinstance(manifest, PromptManifest)
    assert manifest.content.messages == (Message("user", "hi"),)


def test_a_text_file_is_a_prompt_of_its_name(tmp_path: Path) -> None:
    file = tmp_path / "greeting.txt"
    file.write_text("Hello", encoding="utf-8")
    assert read_path(file) == (PromptManifest("greeting", PromptContent.of("Hello")),)


def test_a_manifest_file_is_read_as_one(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(CHAT, encoding="utf-8")
    assert read_path(file) == (prompt(CHAT),)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("p.txt", b"\xff\xfe", "not UTF-8", id="another encoding"),
        pytest.param("p.exe", b"", "not a manifest", id="another file"),
        pytest.param("p.txt", b"x" * ((1 << 20) + 1), "longer than", id="a large file"),
        pytest.param("a b.txt", b"x", "a name of up to", id="a name with a space"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ManifestRefused, match=message):
        read_path(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "message"),
    [("notes.txt", "not a part of a prompt"), ("parameters.yaml", "exactly one of")],
)
def test_a_folder_with_other_things_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_text("a: 1", encoding="utf-8")
    with pytest.raises(ManifestRefused, match=message):
        read_path(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestRefused, match="No such file"):
        read_path(tmp_path / "absent.yaml")
