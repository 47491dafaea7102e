"""The example against a real sidecar and a local OpenAI-compatible endpoint."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.support_bot.bot import SupportBot
from examples.support_bot.model import ChatModel
from pitcanary.client import Client, fallbacks_from_folder
from tests.integration.client.fleet import PATIENCE, Fleet, Sidecar, running
from tests.integration.examples.model_server import ModelServer, model_server

ROOT = Path(__file__).parents[3]
BUNDLED = ROOT / "examples" / "support_bot" / "prompts"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running() as fleet:
        yield fleet


@pytest.fixture(scope="module")
def sidecar(fleet: Fleet) -> Sidecar:
    fleet.push("support-reply", {"text": "Serve {{product}}.", "parameters": {"temperature": 0}})
    fleet.move("support-reply", 2)
    return fleet.sidecar()


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with model_server() as model:
        yield model


@pytest.fixture
def bot(sidecar: Sidecar, model: ModelServer) -> Iterator[SupportBot]:
    with Client(sidecar.unix, resolve_deadline=PATIENCE, report_deadline=PATIENCE) as client:
        yield SupportBot(client, ChatModel(model.url, "small"), "Acme")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the example's own command line."""
    return subprocess.run(
        [sys.executable, "-m", "examples.support_bot", "--user", "ada", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("options", [[], ["--stream"]], ids=["whole", "streaming"])
def test_the_program_answers_with_the_pushed_prompt_and_reports(
    sidecar: Sidecar, model: ModelServer, options: list[str]
) -> None:
    before = sidecar.outcomes()
    ended = run(f"--sidecar={sidecar.unix}", f"--base-url={model.url}", *options, "Where?")
    assert (ended.returncode, ended.stdout) == (0, "You asked: Where? ESCALATE\n"), ended.stderr
    (asked,) = model.asked
    assert asked["messages"] == [
        {"role": "system", "content": "Serve Acme Bikes."},
        {"role": "user", "content": "Where?"},
    ]
    assert asked["temperature"] == 0
    assert sidecar.outcomes() - before == 1


def test_without_a_sidecar_the_bundled_prompt_answers(model: ModelServer, tmp_path: Path) -> None:
    ended = run(f"--sidecar=unix:{tmp_path}/nobody.sock", f"--base-url={model.url}", "Where?")
    assert ended.stdout == "You asked: Where? ESCALATE\n"
    bundled = fallbacks_from_folder(BUNDLED)["support-reply"].text
    assert bundled is not None
    system = {"role": "system", "content": bundled.replace("{{product}}", "Acme Bikes")}
    assert model.asked[0]["messages"] == [system, {"role": "user", "content": "Where?"}]


@pytest.mark.parametrize("status", [429, 503])
def test_a_failing_model_is_an_outcome_as_well(
    sidecar: Sidecar, model: ModelServer, status: int
) -> None:
    model.status = status
    before = sidecar.outcomes()
    ended = run(f"--sidecar={sidecar.unix}", f"--base-url={model.url}", "Where?")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert str(status) in ended.stderr
    assert sidecar.outcomes() - before == 1


def test_a_stream_that_breaks_is_raised_and_reported(
    sidecar: Sidecar, model: ModelServer, bot: SupportBot
) -> None:
    model.break_off = True
    before = sidecar.outcomes()
    with pytest.raises(ConnectionError, match="DONE"):
        list(bot.stream("ada", "Where?"))
    assert bot.client.flush(PATIENCE)
    assert sidecar.outcomes() - before == 1


def test_a_reader_that_leaves_ends_the_request_and_is_reported(
    sidecar: Sidecar, bot: SupportBot
) -> None:
    before = sidecar.outcomes()
    answer = bot.stream("ada", "Where?")
    assert next(iter(answer)) == "You asked: "
    answer.close()  # type: ignore[attr-defined]
    assert bot.client.flush(PATIENCE)
    assert sidecar.outcomes() - before == 1
