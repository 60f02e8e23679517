"""``speid completion``."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
def command(shell: str) -> None:
    """Print the script that completes commands and options in a shell.

    Shells find it by its name, zsh in a folder of $fpath; bash needs the package bash-completion. Make the folder
    first if there is none (mkdir -p).

    \b
    Example:
      speid completion bash > ~/.local/share/bash-completion/completions/speid
      speid completion zsh > ~/.zfunc/_speid
      speid completion fish > ~/.config/fish/completions/speid.fish
      source <(speid completion bash)      (for this shell only; zsh too)
    """
    commands = click.get_current_context().find_root().command
    click.echo(SHELLS[shell](commands, {}, "speid", "_SPEID_COMPLETE").source())
