"""``speid elements``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from speid_cli.cli import options
from speid_cli.cli.console import say, warn
from speid_cli.errors import DataError, OptionError, counted
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.intervals import Interval

if TYPE_CHECKING:
    from speid_cli.genome.bed import BedElement
    from speid_cli.genome.genes import Start

Kind = Literal["promoters", "enhancers"]


@dataclass(frozen=True)
class PromoterOptions:
    """``--upstream``, ``--downstream`` and ``--gene-types``."""

    upstream: int = 1500
    downstream: int = 500
    gene_types: str | None = None

    def around(self, starts: Sequence[Start], path: str) -> list[BedElement]:
        """Promoters at the starts of genes of the types asked for."""
        from speid_cli.genome.elements import of_gene_types, promoters_at

        if not self.upstream + self.downstream:
            raise OptionError("--upstream and --downstream are both 0")
        wanted = of_gene_types(starts, words(self.gene_types), path) if self.gene_types else starts
        found = promoters_at(wanted, self.upstream, self.downstream)
        genes = counted(len({start.gene for start in wanted}), "gene")
        say(f"{counted(len(found), 'promoter')} at the starts of {genes}")
        return found


@click.command()
@click.argument("files", type=options.INPUT_OR_DASH, metavar="FILE...", nargs=-1, required=True)
@click.option("--promoters", "kind", flag_value="promoters", help="Make promoters.  [default for gene annotations]")
@click.option("--enhancers", "kind", flag_value="enhancers", help="Make enhancers.  [default for BED files]")
@click.option(
    "--upstream",
    type=options.distance,
    default=PromoterOptions.upstream,
    metavar="BP",
    help="Length of a promoter before the first transcribed base.",
)
@click.option(
    "--downstream",
    type=options.distance,
    default=PromoterOptions.downstream,
    metavar="BP",
    help="Length of a promoter from the first transcribed base on.",
)
@click.option("--gene-types", metavar="TYPE,...", help="Only starts of genes of these types, such as protein_coding.")
@click.option("--names", metavar="NAME,...", help="Only intervals with one of these names in column 4 of a BED file.")
@click.option(
    "--minus", type=options.INPUT, metavar="REGIONS.bed", help="Leave out elements that overlap one of these intervals."
)
@click.option(
    "-f",
    "--reference",
    type=options.INPUT,
    metavar="REFERENCE.fa",
    help="Use its contig names, end elements where its contigs end, and leave out those on other contigs.",
)
@options.output_options("BED to write; compressed if it ends in .gz.  [default: standard output]")
@options.common_options
@options.group("around", PromoterOptions)
def command(
    files: tuple[str, ...],
    kind: Kind | None,
    around: PromoterOptions,
    names: str | None,
    minus: str | None,
    reference: str | None,
    output: options.OutputOptions,
) -> None:
    """Make promoters from gene annotations, or enhancers from segmentations or peaks.

    Each FILE is a gene annotation (GTF, GFF3, or UCSC's refFlat, refGene or knownGene table) or a BED
    file (also narrowPeak and broadPeak). Every transcription start of an annotation becomes one
    promoter, named by its genes. Intervals of BED files that overlap or touch become one element; with
    --promoters, each of their 5' ends becomes a promoter. --minus needs bedtools.

    \b
    Example:
      speid elements gencode.gtf.gz --gene-types protein_coding -o promoters.bed
      speid elements states.bed.gz --names 13_EnhA1,14_EnhA2 --minus promoters.bed -o enhancers.bed
      speid elements H3K27ac.narrowPeak.gz --minus promoters.bed -o enhancers.bed
    """
    from speid_cli.genome.bed import BedElement, bed_line
    from speid_cli.genome.elements import bed_starts, merged, read_named
    from speid_cli.genome.genes import Start, read_starts

    output.check_text(*files, minus, reference)
    is_annotation = _are_annotations(files, kind)
    if names and (is_annotation or kind == "promoters"):
        raise OptionError("--names selects enhancers from BED files; it cannot be used for promoters")
    if around.gene_types and not is_annotation:
        raise OptionError("--gene-types is for gene annotations")
    if replace(around, gene_types=None) != PromoterOptions() and not (is_annotation or kind == "promoters"):
        raise OptionError("--upstream and --downstream are for promoters: give --promoters, or an annotation")
    contigs = ContigNames()
    if is_annotation or kind == "promoters":
        starts = list[Start]()
        for path in files:
            found, without = read_starts(path) if is_annotation else (bed_starts(path), 0)
            known = contigs.learn(path, (start.chrom for start in found))
            starts += (start._replace(chrom=known[start.chrom]) for start in found)
            if without:
                warn(f"{path}: left out {counted(without, 'row')} without a strand")
        elements, noun = around.around(starts, ", ".join(files)), "promoter"
    else:
        wanted = words(names or "")
        read: list[BedElement] = []
        for path in files:
            named = list(read_named(path, wanted))
            known = contigs.learn(path, (element.interval.chrom for element in named))
            read += (BedElement(Interval(known[chrom], *ends), *rest) for (chrom, *ends), *rest in named)
        elements, noun = merged(read), "element"
        if unknown := set(wanted) - {element.name for element in read}:
            warn(f"no interval is named {', '.join(sorted(unknown))}")
        say(f"{counted(len(elements), noun)} of {counted(len(read), 'interval')}")
    warn(contigs.alias_warning())
    if reference is not None:
        elements = _on_reference(elements, reference, noun)
    if minus is not None:
        elements = _without(elements, minus, noun)
    output.write_lines(map(bed_line, elements))


def words(text: str) -> list[str]:
    """Words between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def _are_annotations(files: tuple[str, ...], kind: Kind | None) -> bool:
    """Whether the files are gene annotations, not BED files; for standard input, what is made of it tells."""
    from speid_cli.genome.genes import is_annotation

    streams = [path for path in files if path == "-" or (Path(path).exists() and not Path(path).is_file())]
    if streams and kind is None:  # what is read to see what it is cannot be read again
        raise OptionError("standard input and pipes need --promoters, for a gene annotation, or --enhancers, for BED")
    annotated = {kind == "promoters" if path in streams else is_annotation(path) for path in files}
    if len(annotated) > 1:
        raise OptionError("gene annotations and BED files cannot be mixed; run speid elements once for each")
    if annotated == {True} and kind == "enhancers":
        raise DataError("is a gene annotation", expected="a BED file, for --enhancers", path=files[0])
    return annotated == {True}


def _on_reference(elements: list[BedElement], path: str, noun: str) -> list[BedElement]:
    """The elements on the contigs of a reference, by its names, ended where these end."""
    from speid_cli.genome.elements import on_contigs
    from speid_cli.genome.reference import Reference

    with Reference(path) as reference:
        found = on_contigs(elements, reference.contigs)
        warn(reference.contigs.alias_warning())
    if len(found) < len(elements):
        left_out = counted(len(elements) - len(found), noun)
        say(f"left out {left_out} on contigs that {path} does not have, or beyond their ends")
    return found


def _without(elements: list[BedElement], path: str, noun: str) -> list[BedElement]:
    """The elements that overlap none of a BED file's intervals."""
    from speid_cli.genome.bed import read_elements
    from speid_cli.genome.overlaps import overlaps

    contigs = ContigNames(dict.fromkeys(element.interval.chrom for element in elements), "the elements")
    regions, _ = read_elements(path, contigs)
    warn(contigs.alias_warning())
    hit = overlaps([element.interval for element in elements], [region.interval for region in regions])
    found = [element for element, out in zip(elements, hit, strict=True) if not out]
    say(f"left out {counted(len(elements) - len(found), noun)} that overlap {path}")
    return found
