"""A group of commands that are imported when they are asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem


class LazyGroup(click.Group):
    """A group whose command ``name`` is `command` in the module ``package.name``.

    Parameters
    ----------
    commands : dict of str
        Name and one line of help of each, in the order in which help lists them.
    """

    def __init__(self, *arguments: Any, package: str, commands: Mapping[str, str], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._package, self._commands = package, commands

    def list_commands(self, context: click.Context) -> list[str]:
        """The commands in order."""
        return list(self._commands)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, none of which is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._commands.items()))

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if name not in self._commands:
            return None
        command: click.Command = importlib.import_module(f"{self._package}.{name}").command
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As of click; the message about an unknown command names one that is written alike."""
        try:
            return super().resolve_command(context, arguments)
        except click.UsageError as error:
            alike = difflib.get_close_matches(arguments[0], self._commands, 1)
            hint = f" Did you mean {alike[0]!r}?" if alike else ""
            raise click.UsageError(error.message + hint, error.ctx) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands whose names begin like this, none of which is imported, and the group's options."""
        names = [name for name in self._commands if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self._commands[name]) for name in names]
        return found + click.Command.shell_complete(self, ctx, incomplete)
