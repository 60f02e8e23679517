"""A group of commands that are imported when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose command ``name`` is `command` in the module ``package.name``.

    Parameters
    ----------
    commands : sequence of str
        Names, in the order in which help lists them.
    """

    def __init__(self, *arguments: Any, package: str, commands: Sequence[str], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._package, self._commands = package, commands

    def list_commands(self, context: click.Context) -> list[str]:
        """The commands in order."""
        return list(self._commands)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if name not in self._commands:
            return None
        command: click.Command = importlib.import_module(f"{self._package}.{name}").command
        return command
