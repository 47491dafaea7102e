"""Answers one question on the command line: `python -m examples.support_bot`."""

from __future__ import annotations

import argparse
import os
import sys
import urllib.error
from pathlib import Path

from examples.support_bot.bot import SupportBot
from examples.support_bot.model import ChatModel
from pitcanary import Client
from pitcanary.client import fallbacks_from_folder

BUNDLED = Path(__file__).parent / "prompts"


def parser() -> argparse.ArgumentParser:
    """The flags; the key comes from the environment, never from a command line."""
    flags = argparse.ArgumentParser(prog="support_bot", description=__doc__)
    flags.add_argument("question")
    flags.add_argument("--user", required=True, help="who asks; keeps one version")
    flags.add_argument("--base-url", default="http://127.0.0.1:8000/v1", help="of the model")
    flags.add_argument("--model", default="gpt-4o-mini")
    flags.add_argument("--sidecar", default=os.environ.get("PITCANARY_TARGET", "127.0.0.1:7070"))
    flags.add_argument("--product", default="Acme Bikes")
    flags.add_argument("--stream", action="store_true", help="print the answer as it comes")
    return flags


def main() -> int:
    """Asks, prints, and leaves only when the report is out."""
    given = parser().parse_args()
    model = ChatModel(given.base_url, given.model, os.environ.get("OPENAI_API_KEY", ""))
    with Client(given.sidecar, fallbacks=fallbacks_from_folder(BUNDLED)) as client:
        bot = SupportBot(client, model, given.product)
        try:
            if given.stream:
                for text in bot.stream(given.user, given.question):
                    print(text, end="", flush=True)
                print()
            else:
                print(bot.answer(given.user, given.question))
        except (urllib.error.URLError, OSError) as error:
            print(f"support_bot: the model did not answer: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
