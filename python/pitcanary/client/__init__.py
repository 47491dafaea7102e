"""The SDK for applications: resolve a prompt, call the model, report what became of it.

`Client` and `AsyncClient` talk to the sidecar of the pod; `EmbeddedClient` runs
the same Rust code in this process. None of them ever breaks the application: a
prompt with a bundled fallback always resolves, and reports never raise.
"""

from pitcanary.client.asynchronous import AsyncClient
from pitcanary.client.call import Call
from pitcanary.client.embedded import EmbeddedClient
from pitcanary.client.fallback import Fallback, fallbacks_from_folder
from pitcanary.client.resolved import Message, ResolvedPrompt
from pitcanary.client.synchronous import Client

__all__ = [
    "AsyncClient",
    "Call",
    "Client",
    "EmbeddedClient",
    "Fallback",
    "Message",
    "ResolvedPrompt",
    "fallbacks_from_folder",
]
