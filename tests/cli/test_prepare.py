"""``speid prepare``: what it reports and what it refuses."""

from __future__ import annotations

import gzip
import os
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from speid_cli.dataset.pairs import SUBSETS, PairDataset
from speid_cli.genome import overlaps
from tests import builders
from tests.builders import WINDOW_OPTIONS, run

Fails = Callable[..., str]


def prepare(*options: object, pairs: str = "pairs.bedpe") -> PairDataset:
    assert run("prepare", pairs, "genome.fa", *WINDOW_OPTIONS, "--force", *options) == 0
    return PairDataset.read("pairs.npz")


def test_it_reports_on_standard_error(pairs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    dataset = prepare()
    captured = capsys.readouterr()
    assert captured.out == ""
    words = {line[2:].partition("  ")[0].strip(): line[2:].partition("  ")[2].strip()
             for line in captured.err.splitlines()[1:]}  # fmt: skip
    assert words["pairs"] == "60"
    assert words["positives"] == "12"
    assert words["negatives"] == "48"
    assert words["unique enhancers"] == str(len(dataset.enhancers))
    assert words["train"].startswith(f"{len(dataset.members(0))} pairs, ")
    assert int(words["bytes"].replace(",", "")) == os.path.getsize("pairs.npz")
    assert float(words["seconds"]) < 60


def test_reported_counts_are_a_naive_loop_s(pairs: list[str], genome: dict[str, str]) -> None:
    counts = prepare().metadata["counts"]
    for side, column, window in (("enhancer", 0, 300), ("promoter", 3, 200)):
        elements = {tuple(line.split("\t")[column : column + 3]) for line in pairs}
        places = [(chrom, int(start), int(end)) for chrom, start, end in elements]
        firsts = [(start + end - window) // 2 for _, start, end in places]
        assert counts[f"{side}s longer than the window"] == sum(end - start > window for _, start, end in places)
        overhang = [first < 0 or first + window > builders.CONTIG_BP for first in firsts]
        assert counts[f"{side} windows that overhang"] == sum(overhang)
        unknown = sum(
            1 - (0 <= first + i < builders.CONTIG_BP and genome[chrom][first + i].upper() in "ACGT")
            for (chrom, _, _), first in zip(places, firsts, strict=True) for i in range(window)
        )  # fmt: skip
        assert counts[f"N fraction of {side} windows"] == pytest.approx(unknown / window / len(places), abs=1e-6)


def test_standard_input_gzip_and_crlf_give_the_same_data(pairs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = prepare()
    text = Path("pairs.bedpe").read_bytes()
    Path("other.bedpe.gz").write_bytes(gzip.compress(text.replace(b"\n", b"\r\n")))
    variants = [prepare("-o", "pairs.npz", pairs="other.bedpe.gz")]
    with open("pairs.bedpe", "rb") as stream:
        monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": stream}))
        variants.append(prepare("-o", "pairs.npz", pairs="-"))
    for dataset in variants:
        for array in ("label", "subset", "enhancer_index", "promoter_index"):
            np.testing.assert_array_equal(getattr(dataset, array), getattr(expected, array))
        np.testing.assert_array_equal(dataset.enhancers.packed, expected.enhancers.packed)
    assert variants[1].metadata["source"] == {"path": "-", "sha256": None}


def test_output_is_named_after_the_input_in_the_current_folder(pairs: list[str]) -> None:
    Path("sub").mkdir()
    Path("sub/mine.bedpe.gz").write_bytes(gzip.compress(Path("pairs.bedpe").read_bytes()))
    assert run("prepare", "sub/mine.bedpe.gz", "genome.fa", *WINDOW_OPTIONS) == 0
    assert Path("mine.npz").exists()


@pytest.mark.parametrize(
    ("header", "column", "options"),
    [
        (builders.HEADER, 10, []),
        (builders.HEADER.lstrip("#"), 10, []),
        (None, 7, []),
        (builders.HEADER.replace("label", "truth"), 10, ["--label-column", "truth"]),
        (None, 10, ["--label-column", "11"]),
    ],
)
def test_labels_are_found(genome: dict[str, str], header: str | None, column: int, options: list[str]) -> None:
    rows = [line.split("\t") for line in builders.pair_lines(30)]
    lines = ["\t".join([*row[:column], row[10], *row[column + 1 :]]) for row in rows]
    builders.write_pairs(Path("pairs.bedpe"), lines, header)
    assert prepare(*options).label.tolist() == [int(row[10]) for row in rows]


def test_juicer_files_with_other_contig_names_are_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    builders.write_genome(folder / "genome.fa", names=("chr1", "chr2", "chrM"))
    lines = ["1\t1e2\t3.0e+02\t1\t5e2\t600\t.\t1", "2\t10\t20\t2\t30\t40\t.\t0", "MT\t10\t20\tMT\t30\t40\t.\t1"]
    header = "#chr1\tx1\tx2\tchr2\ty1\ty2\tname\tscore"
    builders.write_pairs(folder / "pairs.bedpe", ["# juicer_tools version 1.22.01", *lines], header)
    dataset = prepare()
    assert dataset.chromosomes == ("chr1", "chr2", "chrM")
    assert dataset.enhancers.interval.tolist() == [[0, 100, 300], [1, 10, 20], [2, 10, 20]]
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: contig")]
    assert warnings == ["warning: contig names differ from those of genome.fa: took '1' for 'chr1' and 2 more"]


def test_promoter_first_swaps_the_sides(pairs: list[str]) -> None:
    plain, swapped = prepare(), prepare("--promoter-first")
    np.testing.assert_array_equal(plain.enhancers.interval, swapped.promoters.interval)
    np.testing.assert_array_equal(plain.enhancer_index, swapped.promoter_index)


def test_excluded_regions_take_their_pairs_away(pairs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if overlaps.shutil.which("bedtools") is None:
        pytest.skip("bedtools is not installed")
    regions = [("chr1", 0, 1500), ("chr3", 2000, 2600), ("2", 0, 300), ("chrUn", 0, 99)]
    Path("exclude.bed").write_text("# list\n" + "".join(f"{c}\t{s}\t{e}\n" for c, s, e in regions))

    def hit(line: str) -> bool:
        f = line.split("\t")
        sides = [(f[0], int(f[1]), int(f[2])), (f[3], int(f[4]), int(f[5]))]
        regions_here = [(c if c.startswith("chr") else f"chr{c}", s, e) for c, s, e in regions]
        return any(a == c and s < y and x < e for a, x, y in sides for c, s, e in regions_here)

    kept = [line for line in pairs if not hit(line)]
    assert 0 < len(kept) < len(pairs)
    dataset = prepare("--exclude", "exclude.bed")
    assert dataset.label.tolist() == [int(line.split("\t")[10]) for line in kept]
    assert dataset.metadata["counts"]["dropped, excluded"] == len(pairs) - len(kept)
    assert dataset.metadata["counts"]["regions to exclude on unknown contigs"] == 1
    Path("all.bed").write_text("".join(f"{chrom}\t0\t999999999999\n" for chrom in builders.CHROMOSOMES))
    assert run("prepare", "pairs.bedpe", "genome.fa", "--exclude", "all.bed", "-o", "none.npz") == 1
    assert "all.bed: no pair is left outside the excluded regions" in capsys.readouterr().err


def test_without_bedtools_exclude_says_how_to_get_it(
    pairs: list[str], fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("exclude.bed").write_text("chr1\t0\t100\n")
    monkeypatch.setattr(overlaps.shutil, "which", lambda name: None)
    message = fails("prepare", "pairs.bedpe", "genome.fa", "--exclude", "exclude.bed", status=2)
    assert "bedtools is needed here and not installed; try: apt install bedtools, or: conda install" in message


@pytest.mark.parametrize("line", ["chr1\t5", "chr1\t0\t" + "9" * 5000, "chr1\tx\t9", "chr1\t9\t5", "chr1 1 2"])
def test_bad_exclusion_lists_are_refused(pairs: list[str], fails: Fails, line: str) -> None:
    Path("exclude.bed").write_text(f"chr1\t0\t1\n{line}\n")
    message = fails("prepare", "pairs.bedpe", "genome.fa", "--exclude", "exclude.bed")
    assert message.startswith("speid: exclude.bed:2: ")
    assert "expected BED: chromosome, start and end, start below end" in message


GOOD = "chr1\t10\t20\tchr1\t30\t40\tn\t1"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\t10\t20\tchr1\t30", "5 columns; expected 6 or more tab-separated columns"),
        ("chr1\t20\t20\tchr1\t30\t40\tn\t1", "start1 20 is not below end1 20; expected 0-based, half-open"),
        ("chr1\t-1\t20\tchr1\t30\t40\tn\t1", "start1 -1 is negative; expected a position of 0 or more"),
        ("chr1\tx\t20\tchr1\t30\t40\tn\t1", "start1 'x' is not a whole number; expected a position in bp"),
        ("chr1\t10\t6001\tchr1\t30\t40\tn\t1", "end 6001 is beyond chr1, which is 6000 bp long"),
        ("chrX\t10\t20\tchr1\t30\t40\tn\t1", "unknown contig 'chrX'; expected a contig of genome.fa"),
    ],
)
def test_bad_lines_are_refused(genome: dict[str, str], fails: Fails, line: str, message: str) -> None:
    Path("pairs.bedpe").write_text(f"{GOOD}\n{GOOD}\n{line}\n")
    assert f"speid: pairs.bedpe:3: {message}" in fails("prepare", "pairs.bedpe", "genome.fa")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (f"{GOOD[:-1]}2\n", ["--label-column", "8"],
         "pairs.bedpe:1: label '2' in column 8; expected 1 (interacting) or 0 (not interacting)"),
        (f"{GOOD}\n{GOOD[:-1]}.\n", [],
         "pairs.bedpe:2: no label column: none is headed 'label', and column 8 holds '.'; expected 0 or 1 for every "
         "pair; name it by --label-column NAME or NUMBER"),
        (f"{GOOD[:-2]}\n", [], "pairs.bedpe:1: no label column: none is headed 'label', and there is no column 8;"),
        (f"{GOOD}\n", ["--label-column", "9"], "pairs.bedpe:1: no column 9 for the label; the line has 8"),
        (f"{GOOD}\n", ["--label-column", "x"], "pairs.bedpe: no column named 'x'; expected a header line; give the"),
        (f"{builders.HEADER}\n{GOOD}\n", ["--label-column", "x"], "no column named 'x'; expected one of the header's: chrom1,"),
        ("", [], "pairs.bedpe: no pairs; expected at least one BEDPE line of 6 or more columns"),
        ("# only\n\n", [], "pairs.bedpe: no pairs; expected at least one BEDPE line of 6 or more columns"),
        (f"{GOOD}\n", [], "pairs.bedpe: pairs within 1 chromosome only; expected 3 or more for --split chrom; use --split"),
    ],
)  # fmt: skip
def test_bad_files_are_refused(
    genome: dict[str, str], fails: Fails, text: str, options: list[str], message: str
) -> None:
    Path("pairs.bedpe").write_text(text)
    assert message in fails("prepare", "pairs.bedpe", "genome.fa", *options)


def test_pairs_that_all_join_subsets_are_refused(genome: dict[str, str], fails: Fails) -> None:
    joined = enumerate([("chr1", "chr2"), ("chr2", "chr3"), ("chr3", "chr1")])
    lines = [f"{a}\t10\t20\t{b}\t30\t40\tn\t{i % 2}" for i, (a, b) in joined]
    builders.write_pairs(Path("pairs.bedpe"), lines, None)
    message = fails("prepare", "pairs.bedpe", "genome.fa", "--test-chroms", "chr1", "--validation-chroms", "chr2")
    assert (
        "pairs.bedpe: no pair lies wholly in the train subset; expected at least one; choose the chromosomes" in message
    )


def test_pairs_with_both_labels_are_taken_as_positive(
    genome: dict[str, str], fails: Fails, capsys: pytest.CaptureFixture[str]
) -> None:
    positives = [f"chr1\t{10 * i}\t{10 * i + 9}\tchr1\t30\t40\tn\t1" for i in range(20)]
    builders.write_pairs(Path("pairs.bedpe"), [*positives, positives[3], positives[7][:-1] + "0"], None)
    dataset = prepare("--split", "none")
    assert dataset.label.tolist() == [1] * 21
    assert dataset.metadata["counts"]["repeated"] == 1
    message = capsys.readouterr().err
    assert "warning: 1 pair with both labels: taken as positive, and the lines with label 0 left out" in message
    builders.write_pairs(Path("pairs.bedpe"), [*positives, *(line[:-1] + "0" for line in positives[:2])], None)
    assert (
        "pairs.bedpe: 2 of 20 positive pairs also have label 0; expected one label for each pair; were the "
        "negatives drawn for these positives, with the same contig names?"
    ) in fails("prepare", "pairs.bedpe", "genome.fa", "-o", "other.npz")


def test_without_positives_nothing_can_be_trained(genome: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    builders.write_pairs(Path("pairs.bedpe"), ["chr1\t10\t20\tchr1\t30\t40\tn\t0"], None)
    prepare("--split", "none")
    assert "warning: no positive pairs: no model can be trained on this data set" in capsys.readouterr().err


def test_subsets_with_few_positives_are_named(pairs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    dataset = prepare()
    message = capsys.readouterr().err
    for part, name in enumerate(SUBSETS):
        positives = int(dataset.label[dataset.members(part)].sum())
        warning = f"warning: the {name} subset has {positives} positives: fewer than 10 are too few to "
        assert (warning in message) == (positives < 10)
    assert "too few to judge a model on; try --folds, another --split or other fractions" in message


def test_all_are_tested_on_with_split_test(pairs: list[str]) -> None:
    dataset = prepare("--split", "test")
    assert (dataset.subset == 2).all() and dataset.metadata["leaks"] == {}


@pytest.fixture
def rich_promoters(folder: Path) -> list[str]:
    """``genome.fa`` whose GC rises and falls along it, with richer promoters; lines of its pairs."""
    rng = np.random.default_rng(0)
    gc = np.repeat(rng.uniform(0.3, 0.5, 400), 1000)
    promoters = 4000 + 8000 * np.arange(48)
    for start in promoters:
        gc[start - 100 : start + 400] = 0.65
    strong = rng.random(len(gc)) < gc
    letters = np.where(strong, rng.choice(list("GC"), len(gc)), rng.choice(list("AT"), len(gc)))
    builders.write_fasta(Path("genome.fa"), {"chr1": "".join(letters)})
    return [
        f"chr1\t{start + 1500 + 1200 * i}\t{start + 1560 + 1200 * i}\tchr1\t{start}\t{start + 300}\tn\t{i % 2}"
        for start in promoters for i in range(3)
    ]  # fmt: skip


EXCHANGED = "are the sides exchanged? see --promoter-first"
ELSEWHERE = "are the pairs of another genome build than the reference?"


@pytest.mark.parametrize(
    ("moved", "options", "warned"),
    [(0, [], None), (0, ["--promoter-first"], EXCHANGED), (2500, [], ELSEWHERE)],
    ids=["as they are", "sides exchanged", "coordinates of another build"],
)
def test_gc_tells_exchanged_sides_and_another_build(
    rich_promoters: list[str], capsys: pytest.CaptureFixture[str], moved: int, options: list[str], warned: str | None
) -> None:
    rows = [line.split("\t") for line in rich_promoters]
    for row in rows:
        row[1:3], row[4:6] = ([str(int(place) + moved) for place in row[i : i + 2]] for i in (1, 4))
    builders.write_pairs(Path("pairs.bedpe"), ["\t".join(row) for row in rows], None)
    prepare("--split", "none", *options)
    message = capsys.readouterr().err
    assert "  median GC of promoter windows" in message and "  median GC of windows near promoters" in message
    assert {text for text in (EXCHANGED, ELSEWHERE) if text in message} == ({warned} if warned else set())


def test_a_genome_of_random_letters_is_not_warned_of(
    rich_promoters: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    builders.write_fasta(Path("genome.fa"), {"chr1": builders.random_sequence(400_000, 1)})
    builders.write_pairs(Path("pairs.bedpe"), rich_promoters, None)
    prepare("--split", "none")
    message = capsys.readouterr().err
    assert EXCHANGED not in message and ELSEWHERE not in message


def test_a_stream_that_is_no_file_has_no_checksum(pairs: list[str]) -> None:
    os.mkfifo("fifo.bedpe")
    with ThreadPoolExecutor() as pool:
        pool.submit(Path("fifo.bedpe").write_bytes, Path("pairs.bedpe").read_bytes())
        dataset = prepare("-o", "pairs.npz", pairs="fifo.bedpe")
    assert dataset.metadata["source"]["sha256"] is None


def test_bad_references_are_refused(pairs: list[str], fails: Fails) -> None:
    builders.write_gzip(Path("plain.fa.gz"), ">chr1\nACGT\n")
    assert "gunzip -c plain.fa.gz | bgzip > plain.fa.bgz" in fails("prepare", "pairs.bedpe", "plain.fa.gz")
    assert "pairs.bedpe: is BEDPE; expected a FASTA\n" in fails("prepare", "pairs.bedpe", "pairs.bedpe")
    assert "nowhere.fa: No such file or directory" in fails("prepare", "pairs.bedpe", "nowhere.fa")
    assert "nowhere.bedpe: No such file or directory" in fails("prepare", "nowhere.bedpe", "genome.fa")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--test-fraction", "0.6", "--validation-fraction", "0.4"], "leave nothing to train on"),
        (["--test-chroms", "chr1,chr2", "--validation-chroms", "chr2"], "both name chr2"),
        (["--test-chroms", "chr1", "--validation-chroms", "1"], "both name chr1"),
        (["--test-chroms", "chr99"], "cannot hold out: unknown contig 'chr99'"),
        (["--test-chroms", "chr1", "--split", "random"], "--test-chroms and --validation-chroms need --split chrom"),
        (["--label-column", "0"], "--label-column 0: columns are counted from 1"),
        (["--test-fraction", "nan"], "'nan' is not a finite number"),
        (["--split", "thirds"], "Invalid value for '--split'"),
    ],
)
def test_bad_options_are_exit_status_2(pairs: list[str], fails: Fails, options: list[str], message: str) -> None:
    assert message in fails("prepare", "pairs.bedpe", "genome.fa", *options, status=2)
    assert "name the data set by -o" in fails("prepare", "-", "genome.fa", status=2)


def test_an_existing_output_is_refused_without_force(pairs: list[str], fails: Fails) -> None:
    Path("pairs.npz").write_text("mine")
    assert "pairs.npz: exists already; give --force" in fails("prepare", "pairs.bedpe", "genome.fa")
    assert Path("pairs.npz").read_text() == "mine"
    assert len(prepare()) == 60


def test_the_same_input_and_seed_give_the_same_bytes(pairs: list[str]) -> None:
    written = []
    for seed in (5, 5, 6):
        prepare("--split", "random", "--seed", seed)
        written.append(Path("pairs.npz").read_bytes())
    assert written[0] == written[1] != written[2]


def test_what_a_split_leaks_is_reported_and_kept(pairs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    builders.write_pairs(Path("pairs.bedpe"), pairs * 3)
    dataset = prepare("--split", "random")
    captured = capsys.readouterr().err
    assert f"leaks: of {len(dataset.members(2))} test pairs, this many share with a training pair" in captured
    assert re.search(r"  same promoter +\d+ \(\d+\.\d%\)", captured)
    assert "leaks: the names of the elements alone rank the test pairs with AUROC " in captured
    assert (
        "warning: test pairs share elements or sequence with training pairs: their scores are too good (--split chrom avoids"
        in captured
    )
    assert run("info", "pairs.npz") == 0
    shared = dataset.metadata["leaks"]["test pairs"]["same promoter"]
    assert f"leaks.test pairs.same promoter\t{shared}\n" in capsys.readouterr().out
    prepare("--split", "none")
    assert "leaks: there are no held-out pairs" in capsys.readouterr().err


def test_blocks_divide_one_chromosome(folder: Path) -> None:
    builders.write_fasta(Path("genome.fa"), {"chr1": builders.random_sequence(200_000, 0)})
    rng = np.random.default_rng(0)
    lines = []
    for number in range(300):
        start = int(rng.integers(0, 190_000))
        lines.append(f"chr1\t{start}\t{start + 50}\tchr1\t{start + 3000}\t{start + 3100}\tp{number}\t{number % 3 // 2}")
    builders.write_pairs(Path("pairs.bedpe"), lines, None)
    dataset = prepare("--split", "block", "--seed", 3)
    assert set(dataset.subset) == {0, 1, 2}
    assert dataset.metadata["leaks"]["test pairs"]["any of these"] == 0
    dropped = dataset.metadata["counts"]["dropped, across subsets or near a border"]
    assert dropped == 300 - len(dataset) > 0


def test_regions_that_are_all_on_unknown_contigs_are_refused(pairs: list[str], fails: Fails) -> None:
    Path("exclude.bed").write_text("scaffold1\t0\t100\n")
    assert (
        "exclude.bed: none of its contigs, such as 'scaffold1', is in genome.fa, which has 'chr1'; expected the same "
        "contigs, with or without 'chr'; are both files of the same genome build?"
    ) in fails("prepare", "pairs.bedpe", "genome.fa", "--exclude", "exclude.bed")


@pytest.mark.parametrize("options", [[], ["--folds", 3], ["--split", "test"], ["--split", "random"]])
def test_what_was_divided_is_drawn(
    pairs: list[str], options: list[object], capsys: pytest.CaptureFixture[str], fails: Callable[..., str]
) -> None:
    command = ["prepare", "pairs.bedpe", "genome.fa", *builders.WINDOW_OPTIONS, *options]
    assert run(*command, "--report", "page.html") == 0
    text, dataset = Path("page.html").read_text(), PairDataset.read("pairs.npz")
    assert f"{len(dataset)} pairs, {int(dataset.label.sum())} of them interacting" in text
    names = ["fold 1", "fold 2", "fold 3"] if "--folds" in options else ["test"]
    assert all(f'<td class="text">{name}</td>' in text for name in names)
    seen = re.findall('<img alt="([^"]*)"', text)
    assert len(seen) == 5 and seen[0].startswith("Histograms of distances, log10 bp, of interacting and of other pairs")
    assert ("Leak:" in text) == ("random" in options)
    assert "Made by <code>speid " in text
    same = fails(*command, "--report", "./pairs.npz", "--force", status=2)
    assert "--report and the data set are the same file, ./pairs.npz" in same
    assert len(PairDataset.read("pairs.npz")) == len(dataset)
    Path("pairs.npz").unlink()
    assert "page.html: exists already; give --force" in fails(*command, "--report", "page.html")
