"""The call site: which prompt, for whom, and what became of the answer.

This is all that an application adds for pitcanary. `model` talks to the provider,
`__main__` reads the command line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from examples.support_bot.model import ChatModel, Messages, Piece
from pitcanary import Client
from pitcanary.client import Call

PROMPT = "support-reply"
ESCALATE = "ESCALATE"


@dataclass(frozen=True, slots=True)
class SupportBot:
    """Answers customers with whichever version of the prompt is theirs."""

    client: Client
    model: ChatModel
    product: str

    def answer(self, user: str, question: str) -> str:
        """The whole answer; an error of the model is reported and raised."""
        variables = {"product": self.product}
        with self.client.use(PROMPT, unit=user, variables=variables) as call:
            piece = self.model.complete(_messages(call, question), call.prompt.parameters)
            _note(call, piece)
            _judge(call, piece.text)
            return piece.text

    def stream(self, user: str, question: str) -> Iterator[str]:
        """The answer as it is written; a caller that stops reading cancels it."""
        variables = {"product": self.product}
        with self.client.use(PROMPT, unit=user, variables=variables) as call:
            messages, said = _messages(call, question), ""
            for piece in call.stream(self.model.stream(messages, call.prompt.parameters)):
                _note(call, piece)
                said += piece.text
                yield piece.text
            _judge(call, said)


def _messages(call: Call, question: str) -> Messages:
    return [*call.prompt.chat, {"role": "user", "content": question}]


def _note(call: Call, piece: Piece) -> None:
    if piece.usage is not None:
        call.tokens(input=piece.usage["prompt_tokens"], output=piece.usage["completion_tokens"])
    if piece.finish_reason is not None:
        call.model(piece.model, finish_reason=piece.finish_reason)


def _judge(call: Call, text: str) -> None:
    call.output(text)  # read by the sidecar's evaluators, goes no further
    call.score("escalated", float(ESCALATE in text))  # a flag of ours, compared between versions
