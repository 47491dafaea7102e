"""What the demo shows: two prompts, each with today's version and a new one."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

from pitcanary.demo.synthetic import GOOD, HARMFUL, TODAY, Behaviour


@dataclass(frozen=True, slots=True)
class Scene:
    """One rollout of the demo.

    Attributes:
        prompt: Name of the prompt; its rollout is `PROMPT-v2`.
        manifest: The rollout manifest's text, as anyone would write it.
        before: Content of version 1.
        after: Content of version 2.
        behaviour: What version 2 does to the answers.
    """

    prompt: str
    manifest: str
    before: str
    after: str
    behaviour: Behaviour

    @property
    def rollout(self) -> str:
        """Name of the rollout."""
        return f"{self.prompt}-v2"

    def tables(self, seed: int) -> dict[str, tuple[bytes, ...]]:
        """The outcomes of both arms."""
        return {
            "baseline": TODAY.table(seed),
            "candidate": self.behaviour.table(seed + 1),
        }


def scenes() -> tuple[Scene, ...]:
    """The harmful change first."""
    return (
        Scene(
            prompt="support-reply",
            manifest=_read("harmful.yaml"),
            before="You are a support agent. Solve {{topic}} step by step and cite the manual.",
            after="You are a support agent. Answer {{topic}} in one sentence.",
            behaviour=HARMFUL,
        ),
        Scene(
            prompt="summarise",
            manifest=_read("good.yaml"),
            before="Summarise the text in five sentences. Text: {{text}}",
            after="Summarise in five sentences: {{text}}",
            behaviour=GOOD,
        ),
    )


def _read(name: str) -> str:
    return resources.files("pitcanary.demo").joinpath(name).read_text(encoding="utf-8")
