"""Whether a command that a document names is one that there is."""

import shlex
from typing import Any

import typer.main

from shuanglu_cli.__main__ import app


def assert_known(command: str) -> None:
    """Each word of `shuanglu …` is a command of ours, each option one that it takes; arguments are anybody's."""
    node: Any = typer.main.get_command(app)
    for word in shlex.split(command, comments=True)[1:]:
        plain = word.strip("[]")
        if plain.startswith("-"):
            assert any(plain in parameter.opts for parameter in node.params), command
        elif hasattr(node, "commands"):
            assert plain in node.commands, command
            node = node.commands[plain]
