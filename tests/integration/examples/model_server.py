"""A tiny OpenAI-compatible endpoint: says back what it was asked, whole or streaming."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USAGE = {"prompt_tokens": 21, "completion_tokens": 3, "total_tokens": 24}


@dataclass
class ModelServer:
    """A running endpoint.

    Attributes:
        url: Its base URL.
        asked: The bodies of the requests so far.
        status: Answer with this instead of 200.
        break_off: Close a stream after its first piece.
    """

    url: str = ""
    asked: list[dict[str, object]] = field(default_factory=list)
    status: int = 200
    break_off: bool = False

    def says(self, body: Mapping[str, object]) -> list[str]:
        """The pieces of the answer."""
        messages = body["messages"]
        assert isinstance(messages, list)
        return ["You asked: ", str(messages[-1]["content"]), " ESCALATE"]


class Endpoint(ThreadingHTTPServer):
    """An endpoint on a free port of this machine."""

    def __init__(self, model: ModelServer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.model = model
        model.url = f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    """Answers one connection from what its server's model says."""

    @property
    def model(self) -> ModelServer:
        assert isinstance(self.server, Endpoint)
        return self.server.model

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""

    def do_POST(self) -> None:
        model = self.model
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model.asked.append(body)
        if model.status != 200 or self.path != "/v1/chat/completions":
            self.send_error(model.status if model.status != 200 else 404)
        elif body.get("stream"):
            self.stream(body)
        else:
            self.whole(body)

    def whole(self, body: Mapping[str, object]) -> None:
        message = {"role": "assistant", "content": "".join(self.model.says(body))}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = {"model": body["model"], "choices": [choice], "usage": USAGE}
        self.begin("application/json")
        self.wfile.write(json.dumps(answer).encode())

    def stream(self, body: Mapping[str, object]) -> None:
        self.begin("text/event-stream")
        for text in self.model.says(body):
            self.event({"model": body["model"], "choices": [{"delta": {"content": text}}]})
            if self.model.break_off:
                return
        ended = {"delta": {}, "finish_reason": "stop"}
        self.event({"model": body["model"], "choices": [ended]})
        self.event({"model": body["model"], "choices": [], "usage": USAGE})
        self.wfile.write(b"data: [DONE]\n\n")

    def begin(self, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.end_headers()

    def event(self, data: Mapping[str, object]) -> None:
        self.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")
        self.wfile.flush()


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """Serves until the block ends."""
    with Endpoint(ModelServer()) as endpoint:
        thread = threading.Thread(target=endpoint.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield endpoint.model
        finally:
            endpoint.shutdown()
            thread.join()
