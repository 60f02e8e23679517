#!/usr/bin/env python3
"""Write the pages of docs/reference from the commands' help, the docstrings of `speid_cli.api` and the presets.

A test compares the pages with what this script makes.

usage: python docs/make_reference.py
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

import click
import torch

from speid_cli import api
from speid_cli.cli import cli
from speid_cli.model.config import PRESETS, SpeidConfig, TrainingConfig
from speid_cli.model.speid import Speid

FOLDER = Path(__file__).parent / "reference"
API = (api.load_model, *(getattr(api.Model, name) for name in vars(api.Model) if not name.startswith("_")))
SETTINGS = (api.SubjectSettings, api.KnockoutSettings)
LITERAL = re.compile(r"``([^`]+)``")


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text)


def pages() -> dict[str, str]:
    """The text of each page."""
    made = {"commands.md": commands(), "python.md": python(), "presets.md": presets()}
    return {name: "\n".join(lines) + "\n" for name, lines in made.items()}


def commands() -> Iterator[str]:
    """Every command with its arguments, help, examples and options."""
    yield "# Commands\n\nMade from `--help` by `docs/make_reference.py`."
    yield "Every command also has `-h` and `--help`, which print this.\n"
    context = click.Context(cli, info_name="speid", **cli.context_settings)
    yield from command(cli, context)
    for name in cli.list_commands(context):
        found = cli.get_command(context, name)
        assert found is not None
        inner = click.Context(found, parent=context, info_name=name)
        yield from command(found, inner)
        if isinstance(found, click.Group):
            for part in found.list_commands(inner):
                member = found.get_command(inner, part)
                assert member is not None
                yield from command(member, click.Context(member, parent=inner, info_name=part))


def command(found: click.Command, context: click.Context) -> Iterator[str]:
    """The part of one command."""
    yield f"## {context.command_path}\n"
    yield f"```text\n{context.command_path} {' '.join(found.collect_usage_pieces(context))}\n```\n"
    for paragraph in inspect.cleandoc(found.help or "").split("\n\n"):
        yield from block(paragraph)
    for option in found.get_params(context):
        record = option.get_help_record(context)
        if record and record[1] and "--help" not in option.opts:
            yield f"`{record[0]}`\n:   {plain(record[1])}\n"


def block(paragraph: str) -> Iterator[str]:
    """A paragraph of a help text; lines that Click must not join become code, examples of commands bash."""
    if not paragraph.startswith("\b"):
        yield plain(" ".join(paragraph.split())) + "\n"
        return
    title, *lines = paragraph.removeprefix("\b\n").splitlines()
    if not title.endswith(":") and not title.startswith("Example"):
        title, lines = "", [title, *lines]
    if title:
        yield f"{title}\n"
    yield (f"```{'bash' if title.startswith('Example') else 'text'}\n" + inspect.cleandoc("\n".join(lines)) + "\n```\n")


def plain(text: str) -> str:
    """Text whose stars, tags and brackets Markdown leaves alone."""
    return re.sub(r"([*<>_\[\]])", r"\\\1", " ".join(text.split()))


def python() -> Iterator[str]:
    """The functions of `speid_cli.api` with their docstrings."""
    yield "# Python\n\nMade from the docstrings of `speid_cli.api` by `docs/make_reference.py`."
    yield "[speid from Python](../python.md) has an example.\n"
    for function in API:
        name = function.__qualname__
        yield f"## {name}\n\n```text\n{name}{signature(function)}\n```\n"
        yield from docstring(inspect.getdoc(function) or "")
    for kind in SETTINGS:
        values = ", ".join(f"{item.name}={item.default!r}" for item in fields(kind))
        yield f"## {kind.__name__}\n\n```text\n{kind.__name__}({values})\n```\n"
        yield from docstring(inspect.getdoc(kind) or "")


def signature(function: object) -> str:
    """The arguments of a function, one a line, without `self`."""
    lines = []
    for argument in inspect.signature(function).parameters.values():  # type: ignore[arg-type]
        if argument.name != "self":
            bare = argument.replace(annotation=inspect.Parameter.empty)
            default = "" if bare.default is inspect.Parameter.empty else str(bare).partition("=")[2]
            settings = re.match(r"(\w+Settings)\(", default)
            lines.append(f"    {bare.name}{'=' if default else ''}{settings[1] + '()' if settings else default},")
    return "(\n" + "\n".join(lines) + "\n)"


def docstring(text: str) -> Iterator[str]:
    """A NumPy-style docstring as Markdown: sections become bold words, their entries a list of terms."""
    head, *sections = re.split(r"^(\w+)\n-+\n", text, flags=re.M)
    if head.strip():
        yield LITERAL.sub(r"`\1`", head.strip()) + "\n"
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        yield f"**{title}**\n"
        for term, described in re.findall(r"^(\S.*)\n((?:[ \t]+.*\n?|\n)*)", body.rstrip() + "\n", flags=re.M):
            meaning = LITERAL.sub(r"`\1`", " ".join(described.split()))
            yield f"`{term}`\n:   {meaning}\n" if meaning else f"`{term}`\n"


def presets() -> Iterator[str]:
    """All numbers of the presets."""
    yield "# Presets\n\nMade from `speid_cli/model/config.py` by `docs/make_reference.py`."
    yield "`pretrain --set NAME=VALUE` changes a setting of the network. Options of `pretrain` and"
    yield "`finetune` change those of training.\n"
    yield "## The network\n"
    yield from table({name: asdict(preset.model) | parameters(preset.model) for name, preset in PRESETS.items()})
    yield from docstring(attributes(SpeidConfig))
    for stage in ("pretrain", "finetune"):
        yield f"## Training: {stage}\n"
        yield from table({name: settings(getattr(preset, stage), stage) for name, preset in PRESETS.items()})
    yield from docstring(attributes(TrainingConfig))
    yield "## Motifs\n"
    yield from table({name: {"motif kernels, at most": preset.motif_kernels} for name, preset in PRESETS.items()})


def parameters(config: SpeidConfig) -> dict[str, object]:
    """How many numbers are trained."""
    with torch.device("meta"):
        return {"parameters": f"{sum(values.numel() for values in Speid(config).parameters()):,}"}


def attributes(kind: type) -> str:
    """The part of a docstring that describes the fields."""
    return (inspect.getdoc(kind) or "").partition("\n\n")[2]


def settings(training: TrainingConfig, stage: str) -> dict[str, object]:
    """Fields of a training, without what only pre-training has."""
    return {name: value for name, value in asdict(training).items() if stage == "pretrain" or name != "start"}


def table(columns: dict[str, dict[str, object]]) -> Iterator[str]:
    """A Markdown table: a row for each field, a column for each preset."""
    yield f"| | {' | '.join(f'`{name}`' for name in columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for field in next(iter(columns.values())):
        yield f"| `{field}` | {' | '.join(str(values[field]) for values in columns.values())} |"
    yield ""


if __name__ == "__main__":
    main()
