"""``speid export``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import click

from speid_cli.cli import options
from speid_cli.cli.console import say, warn
from speid_cli.cli.outputs import write_table
from speid_cli.errors import OptionError, counted, located
from speid_cli.files import atomic_file

if TYPE_CHECKING:
    from speid_cli.genome.contigs import ReferenceContigs
    from speid_cli.genome.hits import Hit, HitReader

Side = Literal["enhancer", "promoter"]
_SHOWN = "promoter", "enhancer", "probability", "distance"  # of the table, on a terminal
FORMATS = ("table", "bedpe", "interact", "biginteract", "longrange", "links")
# Files that are not text, or have an index beside them, and how their names end.
_ENDINGS = {"biginteract": ".bb", "longrange": ".gz"}


@dataclass(frozen=True)
class Choice:
    """``--min-score``, ``--top`` and ``--per``."""

    min_score: float
    top: int | None
    per: Side | None

    def of(self, hits: HitReader) -> Iterable[Hit]:
        """The hits asked for, in the order of the file; of ``--top``, the strongest first."""
        from speid_cli.genome.hits import strongest

        return hits if self.top is None else strongest(hits, self.top, self.per)


@click.command()
@click.argument("scored", type=options.INPUT_OR_DASH, metavar="SCORED.bedpe")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="table", help="What to write; see above.")
@click.option(
    "--min-score", type=options.FiniteFloat(0, 1), default=0.0, help="Leave out pairs with a lower probability."
)
@click.option("--top", type=click.IntRange(1), metavar="N", help="Only the N strongest pairs, the strongest first.")
@click.option(
    "--per",
    type=click.Choice(["promoter", "enhancer"]),
    help="With --top N: the N strongest pairs of each promoter, or of each enhancer.",
)
@click.option("--append", is_flag=True, help="The probability is in the last column, not in column 8.")
@click.option("--name", default="speid", metavar="NAME", help="Name of the track, in the format interact.")
@click.option(
    "-f",
    "--reference",
    type=options.INPUT,
    metavar="REFERENCE.fa",
    help="For biginteract: the FASTA with the contigs' lengths.  [default: $SPEID_REFERENCE]",
)
@options.promoter_first
@options.output_options(
    "File to write; compressed if it ends in .gz. biginteract and longrange need one, ending in .bb and .gz.  "
    "[default: standard output]"
)
@options.common_options
@options.group("choice", Choice)
def command(
    scored: str,
    format_: str,
    choice: Choice,
    append: bool,
    name: str,
    reference: str | None,
    promoter_first: bool,
    output: options.OutputOptions,
) -> None:
    """Write scored pairs as a table of hits, or for a genome browser.

    \b
    table        names of promoter (its genes) and enhancer, probability, distance, places
    bedpe        the lines as they are
    interact     UCSC Genome Browser, as a custom track
    biginteract  UCSC Genome Browser, as a track hub's file
    longrange    WashU Epigenome Browser: compressed, with an index (.tbi) beside it
    links        pyGenomeTracks and CoolBox

    Lines without a probability (.) are left out and counted.

    \b
    Example:
      speid export scored.bedpe --top 3 --per promoter > hits.tsv
      speid export scored.bedpe --min-score 0.9 --format interact > hits.interact
      speid export scored.bedpe --min-score 0.9 --format longrange -o hits.gz
    """
    from speid_cli.genome.hit_formats import TABLE, table_rows
    from speid_cli.genome.hits import HitReader

    if choice.per is not None and choice.top is None:
        raise OptionError("--per needs --top")
    _check_output(format_, output, scored, reference)
    reader = HitReader(scored, promoter_first, append, choice.min_score)
    counter = _Counter(choice.of(reader))
    if format_ == "biginteract":
        _write_biginteract(counter, scored, str(reference or os.environ["SPEID_REFERENCE"]), output)
    elif format_ == "longrange":
        with located(scored):
            _write_longrange(counter, output)
    elif format_ == "table":
        write_table(output.path, output.force, TABLE, table_rows(_begun(counter)), _SHOWN)
    else:
        output.write_lines(_lines(format_, counter, reader, name))
    if reader.without:
        unscored = "; were they scored by speid predict? --append, if it is in the last column"
        hint = unscored if reader.without == reader.read and not append else ""
        warn(f"{counted(reader.without, 'pair')} without a probability left out{hint}")
    if not reader.read:
        warn("no pairs in the input")
    say(f"{counted(counter.count, 'hit')} of {counted(reader.read, 'pair')}")


class _Counter:
    """Hits that are counted as they are taken."""

    def __init__(self, hits: Iterable[Hit]) -> None:
        self._hits, self.count = hits, 0

    def __iter__(self) -> Iterator[Hit]:
        for hit in self._hits:
            self.count += 1
            yield hit


def _check_output(format_: str, output: options.OutputOptions, scored: str, reference: str | None) -> None:
    """Refuse an output that the format does not allow, before any work."""
    ending = _ENDINGS.get(format_)
    if ending and not str(output.path or "").endswith(ending):
        raise OptionError(f"--format {format_} is not text, and needs -o FILE{ending}")
    if format_ == "biginteract" and (reference or os.environ.get("SPEID_REFERENCE")) is None:
        raise OptionError("--format biginteract needs the lengths of contigs: give -f, or set SPEID_REFERENCE")
    output.check_text(scored, reference)
    if format_ == "longrange":
        replace(output, path=f"{output.path}.tbi").check_text(scored)


def _begun(hits: Iterable[Hit]) -> Iterable[Hit]:
    """The same hits, after the first has been read: the header is known, and its errors come before any output."""
    taken = iter(hits)
    first = next(taken, None)
    return chain([] if first is None else [first], taken)


def _lines(format_: str, hits: Iterable[Hit], reader: HitReader, name: str) -> Iterator[str]:
    """The lines of a text format."""
    from speid_cli.genome import hit_formats as formats

    hits = _begun(hits)
    if format_ == "interact":
        yield formats.interact_header(name)
        yield from ("\t".join(map(str, row)) for row in formats.interact_rows(hits))
    elif format_ == "links":
        yield from formats.links_lines(hits)
    else:
        if reader.reader.header is not None:
            yield reader.reader.header.text
        yield from (hit.text for hit in hits)


def _placed(hits: Iterable[Hit], contigs: ReferenceContigs, scored: str) -> Iterator[Hit]:
    """The hits with a reference's contig names."""
    for hit in hits:
        with located(scored, hit.line):
            yield hit.on(contigs)


def _write_biginteract(hits: Iterable[Hit], scored: str, fasta: str, output: options.OutputOptions) -> None:
    from speid_cli.genome.bigwig import write_bigbed
    from speid_cli.genome.hit_formats import INTERACT_SQL, interact_rows
    from speid_cli.genome.reference import Reference

    with Reference(fasta) as reference, TemporaryDirectory(prefix="speid-") as folder:
        rows = sorted(interact_rows(_placed(hits, reference.contigs, scored)))
        warn(reference.contigs.alias_warning())
        with located(output.path):
            write_bigbed(Path(folder, "hits.bb"), reference.contigs.lengths, rows, INTERACT_SQL)
        _put(Path(folder, "hits.bb"), str(output.path), output.force)


def _write_longrange(hits: Iterable[Hit], output: options.OutputOptions) -> None:
    from speid_cli.genome.hit_formats import longrange_rows
    from speid_cli.genome.tabix import write_indexed

    with TemporaryDirectory(prefix="speid-") as folder:
        packed = write_indexed(Path(folder, "hits"), sorted(longrange_rows(hits)))
        _put(packed, str(output.path), output.force)
        _put(Path(f"{packed}.tbi"), f"{output.path}.tbi", output.force)


def _put(made: Path, target: str, force: bool) -> None:
    """Copy a file that is complete to where it was asked for."""
    with atomic_file(target, force) as out, made.open("rb") as stream:
        copyfileobj(stream, out)
