"""The other commands through the real command line, and the command line itself."""

from __future__ import annotations

import gzip
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import speid_cli
from speid_cli.cli import COMMANDS
from speid_cli.cli.explain import QUESTIONS
from speid_cli.dataset.pairs import VALIDATION, PairDataset
from speid_cli.errors import DataError, Terminated
from speid_cli.genome.reference import Reference
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.config import StreamSettings
from speid_cli.model.device import Device
from speid_cli.scoring.dataset import DatasetScorer
from speid_cli.scoring.stream import PairStream
from speid_cli.text import Share
from tests import builders, plain
from tests.builders import TINY_OPTIONS, run

Fails = Callable[..., str]
JASPAR = ">MA1 one\nA [ 9 0 0 ]\nC [ 0 9 0 ]\nG [ 0 0 9 ]\nT [ 1 1 1 ]\n>MA2 two\n" + "1 2 3 4 5\n" * 4


@pytest.fixture
def model(pairs: list[str]) -> Checkpoint:
    """``model.pt``, untrained, that remembers ``genome.fa``."""
    with Reference("genome.fa") as reference:
        remembered = {"path": str(Path("genome.fa").resolve()), "digest": reference.digest}
    checkpoint = builders.random_checkpoint(reference=remembered)
    with open("model.pt", "wb") as stream:
        checkpoint.write(stream)
    return checkpoint


def scored(path: str = "scored.bedpe") -> list[list[str]]:
    return [line.split("\t") for line in Path(path).read_text().splitlines()]


def test_the_whole_way_from_pairs_to_probabilities(
    dataset: PairDataset, pairs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("m.jaspar").write_text(JASPAR)
    assert run("motifs", "m.jaspar", "--kernel-length", 11) == 0
    training = ["--epochs", 2, "--lr", 0.01, "--batch-size", 20]
    assert run("pretrain", "pairs.npz", "--motifs", "kernels.npz", *TINY_OPTIONS, *training) == 0
    assert run("finetune", "pairs.pretrained.pt", "pairs.npz", *training) == 0
    assert run("predict", "pairs.pt", "pairs.bedpe", "-o", "scored.bedpe") == 0
    label = dataset.label[dataset.members(0)]
    positives, negatives = int(label.sum()), int((label == 0).sum())
    copies, shown = round(negatives / positives), capsys.readouterr().err
    samples = f"{copies * positives + negatives} samples an epoch: {positives} positives, {copies} copies each"
    assert f"{samples}, and {negatives} negatives" in shown
    assert f"{len(label)} samples an epoch: {positives} positives, and {negatives} negatives" in shown
    checkpoint = Checkpoint.read("pairs.pt")
    assert [motif["identifier"] for motif in checkpoint.provenance["motifs"]] == ["MA1", "MA2"]
    assert checkpoint.provenance["dataset"] == dataset.digest
    history = [line.split("\t") for line in Path("pairs.history.tsv").read_text().splitlines()]
    assert Path("pairs.history.svg").read_text().count("<use") > 3 * len(history)  # dots of three lines, and more
    assert history[0][:3] == ["stage", "epoch", "training_loss"]
    assert [row[:2] for row in history[1:]] == [["pretrained", "1"], ["pretrained", "2"], ["finetuned", "1"],
                                                ["finetuned", "2"]]  # fmt: skip
    lines = scored()
    assert len(lines) == len(pairs) + 1
    assert all(0 <= float(line[7]) <= 1 for line in lines[1:])


@pytest.mark.parametrize(("options", "start"), [((), "invariant"), (("--start", "keras"), "keras")])
def test_the_first_weights_are_the_preset_s_or_as_asked(
    dataset: PairDataset, options: tuple[str, ...], start: str
) -> None:
    assert run("pretrain", "pairs.npz", *TINY_OPTIONS, "--epochs", 0, *options) == 0
    assert Checkpoint.read("pairs.pretrained.pt").provenance["stages"][0]["settings"]["start"] == start


def test_predictions_are_the_oracle_s(model: Checkpoint, genome: dict[str, str], pairs: list[str]) -> None:
    assert run("predict", "model.pt", "pairs.bedpe", "-o", "scored.bedpe", "--block-size", 7, "--batch-size", 3) == 0
    for line, given in zip(scored()[1:], pairs, strict=True):
        windows = [
            plain.window_onehot(genome[line[c]], int(line[c + 1]), int(line[c + 2]), length)
            for c, length in ((0, builders.ENHANCER_WINDOW), (3, builders.PROMOTER_WINDOW))
        ]
        expected = plain.sigmoid(plain.logit(model.state_dict, asdict(model.config), *windows))
        assert float(line[7]) == pytest.approx(expected, abs=1e-5)
        fields = given.split("\t")
        assert line[:7] + line[8:] == fields[:7] + fields[8:]


INPUT = """# made by hand
#chrom1\tstart1\tend1\tchrom2\tstart2\tend2
chr1\t10\t20\tchr1\t30\t40

1\t1e2\t200\tchr2\t5990\t6000\tname\t7\t+\t-\textra
"""


def test_neither_blocks_nor_a_small_cache_change_a_score(model: Checkpoint, pairs: list[str]) -> None:
    with Reference("genome.fa") as reference:
        outputs = []
        for cache_bytes, block_size in ((1, 1000), (150_000, 7), (1 << 29, 1000)):
            settings = StreamSettings(block_size=block_size, cache_bytes=cache_bytes)
            stream = PairStream([model.model()], Device("cpu"), reference, settings)
            found = [value for scored in stream.score(Share("pairs.bedpe")) for value in scored.probabilities]
            outputs.append(found[1:])
            assert stream.counts.pairs == len(pairs)
    np.testing.assert_allclose(outputs[0], outputs[2], atol=1e-6)
    np.testing.assert_allclose(outputs[1], outputs[2], atol=1e-6)


@pytest.mark.parametrize(("size", "status"), [("300K", 0), ("8g", 0), ("0", 2), ("much", 2), ("1.5G", 2)])
def test_memory_for_elements(model: Checkpoint, pairs: list[str], size: str, status: int) -> None:
    assert run("predict", "model.pt", "pairs.bedpe", "-o", "out.bedpe", "--cache-memory", size) == status


def test_every_line_gives_one_line(model: Checkpoint) -> None:
    Path("in.bedpe").write_text(INPUT.replace("\n", "\r\n"))
    assert run("predict", "model.pt", "in.bedpe", "-o", "out.bedpe") == 0
    lines = Path("out.bedpe").read_text().split("\n")
    assert lines[0] == "# made by hand"
    assert lines[1] == "#chrom1\tstart1\tend1\tchrom2\tstart2\tend2\tname\tscore"
    assert lines[2].startswith("chr1\t10\t20\tchr1\t30\t40\t.\t0.")
    assert lines[3] == ""
    assert lines[4].startswith("1\t1e2\t200\tchr2\t5990\t6000\tname\t0.")
    assert lines[4].endswith("\t+\t-\textra")
    assert lines[5:] == [""]
    assert run("predict", "model.pt", "in.bedpe", "--append", "-o", "appended.bedpe.gz") == 0
    appended = gzip.decompress(Path("appended.bedpe.gz").read_bytes()).decode().split("\n")
    assert appended[1].endswith("\tname\tscore\tprobability")
    assert appended[2].split("\t")[6:8] == [".", "."]
    assert appended[4].split("\t")[:-1] == INPUT.split("\n")[4].split("\t")
    assert appended[4].split("\t")[-1] == lines[4].split("\t")[7]


def test_lines_that_cannot_be_scored(model: Checkpoint, fails: Fails, capsys: pytest.CaptureFixture[str]) -> None:
    bad = ["chr1\t10", "chr9\t1\t2\tchr1\t1\t2", "chr1\t1\t9999\tchr1\t1\t2"]
    Path("in.bedpe").write_text("chr1\t10\t20\tchr1\t30\t40\n" + "\n".join(bad) + "\n")
    assert "in.bedpe:2: 2 columns; expected 6 or more" in fails("predict", "model.pt", "in.bedpe", "-o", "out.bedpe")
    assert run("predict", "model.pt", "in.bedpe", "--on-invalid", "na", "-o", "out.bedpe") == 0
    lines = scored("out.bedpe")
    assert [line[7] for line in lines[1:]] == ["."] * 3
    assert lines[1] == ["chr1", "10", *["."] * 6]
    error = capsys.readouterr().err
    assert "warning: 3 lines could not be scored, with '.' for a score; the first: in.bedpe:2: 2 columns" in error
    assert "\n1 pair scored in " in error


def test_where_an_added_probability_stands_is_said(model: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predict", "model.pt", "pairs.bedpe", "--append") == 0
    captured = capsys.readouterr()
    assert {line.count("\t") for line in captured.out.splitlines()} == {11}
    assert "\nprobability: column 12\n" in captured.err
    Path("in.bedpe").write_text("chr1\t1\t2\tchr1\t3\t4\nchr1\t1\t2\tchr1\t3\t4\t.\t.\t+\t-\n")
    assert run("predict", "model.pt", "in.bedpe", "--append") == 0
    assert "probability: column 9 or 11\n" in capsys.readouterr().err
    assert run("predict", "model.pt", "in.bedpe") == 0
    assert "probability" not in capsys.readouterr().err


def test_an_empty_stream_is_an_empty_stream(model: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.bedpe").write_text("")
    assert run("predict", "model.pt", "in.bedpe") == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "warning: no pairs in the input" in captured.err


def test_the_reference_is_found_as_promised(model: Checkpoint, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("moved.fa").write_bytes(Path("genome.fa").read_bytes())
    Path("genome.fa").unlink()
    message = fails("predict", "model.pt", "pairs.bedpe")
    assert "genome.fa; expected a FASTA; give it by -f REFERENCE.fa or SPEID_REFERENCE" in message
    assert run("predict", "model.pt", "pairs.bedpe", "-f", "moved.fa", "-o", "a.bedpe") == 0
    monkeypatch.setenv("SPEID_REFERENCE", "moved.fa")
    assert run("predict", "model.pt", "pairs.bedpe", "-o", "b.bedpe") == 0
    assert Path("a.bedpe").read_bytes() == Path("b.bedpe").read_bytes()


def test_a_reference_with_other_contigs_is_refused(model: Checkpoint, fails: Fails) -> None:
    builders.write_genome(Path("other.fa"), names=("chr1", "chr2"))
    message = fails("predict", "model.pt", "pairs.bedpe", "-f", "other.fa")
    with Reference("other.fa") as other, Reference("genome.fa") as mine:
        assert other.digest in message
        assert mine.digest in message


def test_pairs_that_look_unlike_those_trained_on_are_warned_of(
    model: Checkpoint, dataset: PairDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(enhancer: float, promoter: float) -> str:
        """What predict says with a model that remembers elements of this GC."""
        sides = {"enhancer": enhancer, "promoter": promoter}
        table = {side: {"elements": 100, "length_bp": 300.0, "gc": gc} for side, gc in sides.items()}
        remembered = replace(model, provenance=model.provenance | {"composition": table})
        with open("other.pt", "wb") as stream:
            remembered.write(stream)
        capsys.readouterr()
        assert run("predict", "other.pt", "pairs.bedpe") == 0
        return capsys.readouterr().err

    found = dataset.metadata["composition"]
    gc = found["enhancer"]["gc"], found["promoter"]["gc"]
    assert "median GC" not in say(*gc)
    assert f"in the training data {gc[0]:.2f} and 0.90: are the pairs of another genome build?" in say(gc[0], 0.9)


def test_a_header_that_contradicts_the_sides_is_refused(model: Checkpoint, pairs: list[str], fails: Fails) -> None:
    header = "promoter_chrom\tpromoter_start\tpromoter_end\tenhancer_chrom\tenhancer_start\tenhancer_end"
    builders.write_pairs(Path("pairs.bedpe"), pairs, header)
    message = fails("predict", "model.pt", "pairs.bedpe")
    assert "pairs.bedpe:1: according to the header, columns 1-3 are the promoter; give --promoter-first" in message
    assert run("predict", "model.pt", "pairs.bedpe", "--promoter-first", "-o", "scored.bedpe") == 0


def test_motifs_are_recorded_and_reported(folder: Path, capsys: pytest.CaptureFixture[str], fails: Fails) -> None:
    Path("m.jaspar").write_text(JASPAR)
    options = ["m.jaspar", "--kernel-length", 4]
    assert run("motifs", *options, "--reverse-complements", "all") == 0
    error = capsys.readouterr().err
    assert "2 motifs read" in error
    assert "warning: 1 motif longer than the kernel, cut to the middle 4 bp: MA2" in error
    assert "kernels.npz: 4 kernels of 4 bp" in error
    assert run("motifs", "m.jaspar", *options, "-o", "again.npz") == 0
    error = capsys.readouterr().err
    assert "warning: 2 motifs given more than once; each is used once\n2 motifs read" in error
    refused = fails("motifs", *options, "--long-motifs", "refuse", "-o", "x.npz")
    assert "m.jaspar: motif MA2 is 5 bp long; expected 4 bp at most; --long-motifs cut uses the middle" in refused
    assert "no motifs: give motif files, or --jaspar RELEASE" in fails("motifs", "-o", "x.npz", status=2)
    assert run("motifs", *options, "--max-kernels", 1, "-o", "one.npz") == 0
    assert "warning: 1 motif left out at random: there is room in 1 kernel (--max-kernels)" in capsys.readouterr().err
    assert run("motifs", *options, "--max-kernels", 1, "-o", "two.npz") == 0
    assert Path("one.npz").read_bytes() == Path("two.npz").read_bytes()


def test_all_of_jaspar_2016_is_placed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyjaspar")
    assert run("motifs", "--jaspar", "2016") == 0
    assert "kernels.npz: 519 kernels of 40 bp" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "cuda", "build"), [("2.13.0+cpu", None, "CPUs"), ("2.13.0+cu130", "13.0", "CUDA 13.0")]
)
def test_info_says_which_build_of_torch_is_here(
    version: str, cuda: str | None, build: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "__version__", version)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.version, "hip", None)
    assert run("info", "--system") == 0
    assert f"versions.torch\t{version}\n" in capsys.readouterr().out
    assert run("info", "--system", "--json") == 0
    assert json.loads(capsys.readouterr().out)["torch is built for"] == build


def test_info_says_what_runs_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("info", "--system", "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert content["versions"]["torch"] == torch.__version__
    assert "kernels" in content["cpu"]
    monkeypatch.setenv("SPEID_NATIVE", "0")
    assert run("info", "--system") == 0
    assert "fp32, PyTorch kernels (SPEID_NATIVE=0)" in capsys.readouterr().out
    for arguments in ([], ["x.npz", "--system"]):
        assert run("info", *arguments) == 2
        assert "give one of FILE and --system" in capsys.readouterr().err


def test_info_says_what_each_file_holds(
    dataset: PairDataset,
    model: Checkpoint,
    capsys: pytest.CaptureFixture[str],
    fails: Fails,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("m.jaspar").write_text(JASPAR)
    run("motifs", "m.jaspar")
    capsys.readouterr()
    contents = {}
    for name in ("pairs.npz", "kernels.npz", "model.pt"):
        assert run("info", name) == 0
        assert "kind\t" in capsys.readouterr().out
        assert run("info", name, "--json") == 0
        contents[name] = json.loads(capsys.readouterr().out)
    with monkeypatch.context() as patch:
        patch.setattr(sys.stdout, "isatty", lambda: True)
        assert run("info", "pairs.npz") == 0
    assert "counts.pairs" in capsys.readouterr().out
    assert contents["pairs.npz"]["counts"]["pairs"] == 60
    assert contents["kernels.npz"]["motifs"][0]["identifier"] == "MA1"
    assert contents["model.pt"]["parameters"] == sum(v.numel() for v in model.model().parameters())
    torch.save({}, "odd.pt")
    assert "odd.pt: not a speid model" in fails("info", "odd.pt")
    np.savez("odd.npz", x=1)
    assert "not a data set, motif kernels or a model of speid" in fails("info", "odd.npz")


def test_an_output_never_replaces_an_input(dataset: PairDataset, model: Checkpoint, fails: Fails) -> None:
    Path("link.bedpe").symlink_to("pairs.bedpe")
    Path("m.jaspar").write_text(JASPAR)
    for arguments in (
        ["prepare", "pairs.bedpe", "genome.fa", "-o", "genome.fa"],
        ["prepare", "pairs.bedpe", "genome.fa", "-o", "link.bedpe"],
        ["motifs", "m.jaspar", "-o", "m.jaspar"],
        ["pretrain", "pairs.npz", "-o", "pairs.npz"],
        ["finetune", "model.pt", "pairs.npz", "-o", "model.pt"],
        ["predict", "model.pt", "pairs.bedpe", "-o", "model.pt"],
        ["predict", "model.pt", "pairs.bedpe", "-o", "genome.fa"],
    ):
        assert "is an input of this command; expected another -o" in fails(*arguments, "--force")


def test_training_without_validation_says_what_it_keeps(
    dataset: PairDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    run("prepare", "pairs.bedpe", "genome.fa", *builders.WINDOW_OPTIONS, "--split", "none", "-o", "all.npz")
    assert run("pretrain", "all.npz", *TINY_OPTIONS, "--epochs", 1) == 0
    assert "warning: no validation pairs: the last epoch is kept" in capsys.readouterr().err


def test_training_refuses_before_it_trains(dataset: PairDataset, fails: Fails) -> None:
    Path("there.pt").touch()
    assert "there.pt: exists already" in fails("pretrain", "pairs.npz", "-o", "there.pt")
    assert "pairs.bedpe: is BEDPE; expected a data set\n" in fails("pretrain", "pairs.bedpe")
    assert "--device cuda:99: not on this machine" in fails("pretrain", "pairs.npz", "--device", "cuda:99", status=2)
    wide = fails("pretrain", "pairs.npz", *TINY_OPTIONS, "--set", "enhancer_window=400")
    assert "pairs.npz: windows of 300 and 200 bp; expected the model's 400 and 200 bp" in wide
    assert "'nan' is not a finite number" in fails("pretrain", "pairs.npz", "--lr", "nan", status=2)
    assert "no model setting 'x'" in fails("pretrain", "pairs.npz", "--set", "x=1", status=2)
    assert "expected NAME=VALUE" in fails("pretrain", "pairs.npz", "--set", "x", status=2)


def test_motifs_that_do_not_fit_are_blamed_on_their_file(dataset: PairDataset, fails: Fails) -> None:
    Path("m.jaspar").write_text(JASPAR)
    run("motifs", "m.jaspar", "--kernel-length", 11)
    pretrain = ["pretrain", "pairs.npz", "--motifs", "kernels.npz", *TINY_OPTIONS]
    few = fails(*pretrain, "--set", "n_kernels=1")
    assert "kernels.npz: motifs for 2 kernels; expected at most 1, as many as the network has; run speid motifs" in few
    short = fails(*pretrain, "--set", "kernel_length=9")
    assert "kernels.npz: motifs for kernels of 11 bp; expected 9 bp; run speid motifs with this preset" in short


@pytest.mark.parametrize(("keep", "said"), [("best", "after it: the pre-trained weights are kept (--keep best)"),
                                           ("last", "after it (--keep best keeps the better weights)")])  # fmt: skip
def test_fine_tuning_that_worsens_validation_says_so(
    dataset: PairDataset, capsys: pytest.CaptureFixture[str], keep: str, said: str
) -> None:
    assert run("pretrain", "pairs.npz", *TINY_OPTIONS, "--epochs", 1) == 0
    members = dataset.members(VALIDATION)
    logits = DatasetScorer(Checkpoint.read("pairs.pretrained.pt").model(), dataset, Device("cpu")).logits(members)
    label = dataset.label.copy()
    label[members] = logits > np.median(logits)
    with open("ranked.npz", "wb") as stream:
        replace(dataset, label=label).write(stream)
    assert run("finetune", "pairs.pretrained.pt", "ranked.npz", "--epochs", 1, "--lr", 10, "--keep", keep) == 0
    message = capsys.readouterr().err
    assert "warning: validation AUPRC was 1.000 before fine-tuning, and " in message and said in message


def test_fine_tuning_on_other_data_warns(dataset: PairDataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("pretrain", "pairs.npz", *TINY_OPTIONS, "--epochs", 0) == 0
    run("prepare", "pairs.bedpe", "genome.fa", *builders.WINDOW_OPTIONS, "--split", "random", "-o", "other.npz")
    assert run("finetune", "pairs.pretrained.pt", "other.npz", "--epochs", 1) == 0
    assert "warning: other.npz is not the data set that pairs.pretrained.pt was trained on" in capsys.readouterr().err


def speid(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(Path(speid_cli.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "speid_cli", *arguments], env=environment, **options)  # type: ignore[call-overload,no-any-return]


def test_data_goes_through_a_pipe_and_nothing_else(model: Checkpoint, pairs: list[str]) -> None:
    process = speid("predict", "model.pt", "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, error = process.communicate("\n".join(pairs).encode())
    assert process.returncode == 0
    assert len(out.splitlines()) == len(pairs)
    assert error.startswith(b"device: ")
    assert b"\x1b" not in error


def test_a_closed_pipe_ends_quietly(model: Checkpoint, pairs: list[str]) -> None:
    builders.write_pairs(Path("many.bedpe"), pairs * 400)
    process = speid("predict", "model.pt", "many.bedpe", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read().decode().splitlines()
    process.stderr.close()
    assert process.wait() == 128 + signal.SIGPIPE
    assert [line for line in error if not line.startswith("device: ")] == []


def test_the_summary_ranks_the_held_out_pairs(dataset: PairDataset, pairs: list[str]) -> None:
    summarise = [sys.executable, str(Path(__file__).parents[2] / "examples" / "summarise.py")]
    names = [
        "genome.fa",
        "enhancers.bed",
        "promoters.bed",
        "motifs.jaspar",
        "kernels.npz",
        "m.pt",
        "m.history.tsv",
        "m.history.svg",
    ]
    for name in [*names, "m.pretrained.pt", "m.pretrained.history.tsv", "m.pretrained.history.svg"]:
        Path(name).touch()
    perfect = ["\t".join([*line.split("\t")[:7], line.split("\t")[10]]) for line in pairs]
    builders.write_pairs(Path("scored.bedpe"), perfect, None)
    done = subprocess.run([*summarise, "pairs.npz", "scored.bedpe", "m.pt"], capture_output=True, text=True, check=True)
    assert f"scored pairs: {Path('scored.bedpe').resolve()}" in done.stdout
    members = dataset.members(2)
    assert f"test subset:  {len(members)} pairs on {' '.join(dataset.chromosomes_of(2))}, held out" in done.stdout
    assert f"test AUPRC:   1.000 (base rate {dataset.label[members].mean():.3f})" in done.stdout
    builders.write_pairs(Path("scored.bedpe"), perfect[1:], None)
    done = subprocess.run([*summarise, "pairs.npz", "scored.bedpe", "m.pt"], capture_output=True, text=True)
    assert done.stderr == "scored.bedpe has 59 pairs and pairs.npz has 60\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_with_its_status_and_no_output(model: Checkpoint, number: signal.Signals) -> None:
    process = speid("predict", "model.pt", "-", "-o", "out.bedpe", stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None and process.stdin is not None
    assert process.stderr.readline().startswith(b"device: ")
    time.sleep(0.5)
    process.send_signal(number)
    assert process.wait() == 128 + number
    process.stdin.close()
    process.stderr.close()
    assert not [path for path in Path().iterdir() if "out.bedpe" in path.name]


def test_help_imports_no_torch() -> None:
    for command in ([], *([name] for name in COMMANDS)):
        code = f"import sys; from speid_cli.cli import main; main({[*command, '--help']!r}); sys.exit('torch' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize("arguments", [["--help"], ["explain", "--help"], ["--version"]])
def test_the_list_of_commands_imports_no_numpy(arguments: list[str]) -> None:
    code = f"import sys; from speid_cli.cli import main; s = main({arguments!r}); sys.exit(s or 9 * ('numpy' in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert "..." not in done.stdout.replace("[ARGS]...", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    out = capsys.readouterr().out
    assert f"Example:\n    speid {command} " in out
    for line in out.splitlines():
        assert len(line) <= 100


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_has_help_with_an_example(question: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", question, "--help") == 0
    out = capsys.readouterr().out
    assert f"Example:\n    speid explain {question} " in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("question", QUESTIONS)
def test_help_on_a_question_imports_no_torch(question: str) -> None:
    arguments = ["explain", question, "--help"]
    code = f"import sys; from speid_cli.cli import main; s = main({arguments!r}); sys.exit(s or 9 * ('torch' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


def test_commands_that_need_no_network_never_import_torch(pairs: list[str]) -> None:
    Path("m.jaspar").write_text(JASPAR)
    for arguments in (
        ["prepare", "pairs.bedpe", "genome.fa"], ["info", "pairs.npz"], ["motifs", "m.jaspar"], ["info", "kernels.npz"]
    ):  # fmt: skip
        code = f"import sys; from speid_cli.cli import main; s = main({arguments!r}); sys.exit(s or 9 * ('torch' in sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True)
        assert done.returncode == 0, done.stderr


def test_closed_and_full_streams_are_errors_without_a_traceback(model: Checkpoint) -> None:
    python = f"{sys.executable} -m speid_cli"
    for command, status, text in (
        (f"{python} info model.pt >&-", 1, "speid: standard output is closed"),
        (f"{python} info model.pt >/dev/full", 1, "speid: standard output: No space left on device"),
        (f"{python} predict model.pt pairs.bedpe >/dev/full", 1, "speid: standard output: No space left on device"),
        (f"{python} predict model.pt - <&-", 0, "warning: no pairs in the input"),
        (f"{python} info {'a' * 300}", 1, "File name too long"),
    ):
        environment = os.environ | {"PYTHONPATH": str(Path(speid_cli.__file__).parents[1])}
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment)
        assert (done.returncode, done.stdout) == (status, ""), done.stderr
        assert text in done.stderr
        assert "Traceback" not in done.stderr


def test_what_nobody_foresaw_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("speid_cli.cli.info.describe", lambda path: 1 / 0)
    assert run("info", "x") == 1
    assert capsys.readouterr().err == (
        "speid: internal error: ZeroDivisionError('division by zero'); run again with --debug and report it\n"
    )


@pytest.mark.parametrize(
    "error", [FileNotFoundError(2, "No such file or directory", "x.fa"), MemoryError(), DataError("odd"), KeyError("k")]
)
def test_debug_shows_the_traceback_of_every_error(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(path: str) -> None:
        raise error

    monkeypatch.setattr("speid_cli.cli.info.describe", fail)
    assert run("info", "x", "--debug") == 1
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback") and f"\n{type(error).__name__}" in shown.replace("speid_cli.errors.", "")
    assert run("info", "x") == 1
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "name"),
    [(KeyboardInterrupt(), "SIGINT"), (Terminated(signal.SIGINT), "SIGINT"), (Terminated(signal.SIGTERM), "SIGTERM")],
)
def test_an_interrupt_is_said_in_one_way(
    error: BaseException, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(path: str) -> None:
        raise error

    monkeypatch.setattr("speid_cli.cli.info.describe", interrupt)
    assert run("info", "x") == 128 + signal.Signals[name]
    assert capsys.readouterr().err.strip() == f"speid: interrupted by {name}"


@pytest.mark.parametrize(
    "command",
    [("predict", "a.pt", ".", "--shard", "1/2"), ("elements", "."), ("export", "."), ("prepare", ".", "a.fa")],
)
def test_a_folder_is_no_input(folder: Path, command: tuple[str, ...], fails: Callable[..., str]) -> None:
    assert "'.' is a directory." in fails(*command, status=2)


def test_version_and_debug(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"speid, version {speid_cli.__version__}\n"
    command = ["explain", "kernels", "nowhere.pt", "a b.npz", "-v"]
    monkeypatch.setattr(sys, "argv", ["speid", *command])
    assert run(*command) == 1
    stated = f"speid {speid_cli.__version__}, Python {platform.python_version()}: speid explain kernels nowhere.pt 'a b.npz' -v"
    assert capsys.readouterr().err.startswith(f"{stated}\n")
    assert run("info", "nowhere.npz", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err
    assert run("info", "nowhere.npz") == 1
    assert capsys.readouterr().err == "speid: nowhere.npz: No such file or directory\n"
    assert run("nonsense") == 2


def test_an_unknown_command_names_one_that_is_written_alike(fails: Callable[..., str]) -> None:
    assert "No such command 'pretrian'. Did you mean 'pretrain'?" in fails("pretrian", status=2)
    message = fails("score", status=2)
    assert "No such command 'score'." in message
    assert "Did you mean" not in message
