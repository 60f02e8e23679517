"""TargetFinder's trees beside the network, and what they may see of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from speid_cli.dataset.pairs import TEST, TRAIN, VALIDATION, PairDataset
from speid_cli.evaluation import targetfinder as targetfinder_module
from speid_cli.evaluation.baselines import baseline_logits
from speid_cli.evaluation.evaluate import unseen_scores
from speid_cli.evaluation.features import TrackFeatures
from speid_cli.evaluation.targetfinder import COMBINED, VARIANTS, combined, targetfinder, trees
from tests import builders
from tests.builders import TINY_OPTIONS, WINDOW_OPTIONS, run

Fails = Callable[..., str]


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """4,000 trees take seconds and learn nothing more of these pairs."""
    assert targetfinder_module.TREES == 4000
    monkeypatch.setattr(targetfinder_module, "TREES", 200)


@pytest.fixture
def folded(dataset: PairDataset) -> PairDataset:
    """300 pairs in three folds."""
    rng = np.random.default_rng(0)
    index = [rng.integers(0, len(side), 300).astype(np.int32) for side in (dataset.enhancers, dataset.promoters)]
    label, fold = (rng.random(300) < 0.3).astype(np.int8), (np.arange(300) % 3 + 1).astype(np.int8)
    pairs = replace(dataset, enhancer_index=index[0], promoter_index=index[1], label=label, fold=fold, name=())
    return replace(pairs, subset=pairs.for_fold(1).subset)


def features_of(signal: np.ndarray) -> TrackFeatures:
    """One track, whose signal (N, 4) in the regions is given; the last pair has no window."""
    row = np.arange(signal.size).reshape(signal.shape)
    row[-1, 3] = -1
    return TrackFeatures(("CTCF",), signal.reshape(-1, 1), row, ())


@pytest.mark.parametrize(("name", "region"), [(name, region) for name in VARIANTS for region in range(4)])
def test_a_variant_learns_from_its_own_regions_alone(folded: PairDataset, name: str, region: int) -> None:
    signal = np.random.default_rng(1).random((300, 4))
    signal[:, region] += 5 * folded.label
    (part,) = folded.divisions[:1]
    baselines = targetfinder(features_of(signal))
    assert list(baselines) == list(VARIANTS)
    ((_, (logits,)),) = baseline_logits([part], 0, {name: baselines[name]})
    test = part.members(TEST)
    apart = logits[test][part.label[test] == 1].min() > logits[test][part.label[test] == 0].max()
    regions = ("enhancer", "extended enhancer", "promoter", "window")
    assert apart == (regions[region] in VARIANTS[name])


def test_trees_are_grown_as_targetfinder_s() -> None:
    found = trees(66, seed=3).get_params()
    shape = found["max_iter"], found["learning_rate"], found["max_depth"], found["early_stopping"]
    assert shape == (targetfinder_module.TREES, 0.1, 5, False)
    assert found["max_features"] * 66 == pytest.approx(np.log2(66))


def test_the_network_s_score_is_by_the_model_that_has_not_seen_the_pair(folded: PairDataset) -> None:
    rng = np.random.default_rng(2)
    scores = [rng.normal(3 * number, 1 + number, 300) for number in range(3)]
    found = unseen_scores(list(folded.divisions), scores)
    for part, logits in zip(folded.divisions, scores, strict=True):
        validation = logits[part.members(VALIDATION)]
        expected = (logits[part.members(TEST)] - validation.mean()) / validation.std()
        assert found[part.members(TEST)] == pytest.approx(expected)


def test_both_together_learn_from_the_network_and_from_tracks(folded: PairDataset) -> None:
    rng = np.random.default_rng(3)
    noise = rng.random((300, 4))
    label = folded.label.astype(float)
    either = rng.random(300) < 0.5
    signal = noise.copy()
    signal[:, 0] += np.where(either, label, 0.5)
    score = rng.random(300) + np.where(either, 0.5, label)
    ((_, logits),) = baseline_logits(folded.divisions, 0, combined(features_of(signal), score))
    ((_, tracks_alone),) = baseline_logits(
        folded.divisions, 0, {"alone": targetfinder(features_of(signal))["TargetFinder (E/P/W)"]}
    )
    for part, both, alone in zip(folded.divisions, logits, tracks_alone, strict=True):
        test = part.members(TEST)
        errors = [((values[test] > 0) != part.label[test]).mean() for values in (both, alone)]
        assert errors[0] < errors[1]


def test_labels_of_other_subsets_change_nothing(folded: PairDataset) -> None:
    features = features_of(np.random.default_rng(4).random((300, 4)))
    (part,) = folded.divisions[:1]
    hidden = replace(part, label=np.where(part.subset == TRAIN, part.label, 1 - part.label).astype(np.int8))
    for name, baseline in targetfinder(features).items():
        ((_, (first,)),) = baseline_logits([part], 0, {name: baseline})
        ((_, (second,)),) = baseline_logits([hidden], 0, {name: baseline})
        assert (first == second).all()


@pytest.fixture
def tracks(folder: Path, genome: dict[str, str]) -> Path:
    """``tracks.tsv`` of two tracks; contigs without ``chr``."""
    rng = np.random.default_rng(0)
    for name in ("ctcf", "h3k27ac"):
        lines = [
            f"{chrom.removeprefix('chr')}\t{start}\t{start + 100}\t.\t0\t.\t{rng.random():.3f}\t-1\t-1\n"
            for chrom in genome
            for start in range(0, 5900, 300)
        ]
        Path(f"{name}.broadPeak").write_text("".join(lines))
    Path("tracks.tsv").write_text("name\tpath\nCTCF\tctcf.broadPeak\nH3K27ac\th3k27ac.broadPeak\n")
    return Path("tracks.tsv")


def test_evaluate_judges_targetfinder_beside_the_network(
    tracks: Path, fails: Fails, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    builders.write_pairs(Path("pairs.bedpe"), builders.pair_lines(200))
    assert run("prepare", "pairs.bedpe", "genome.fa", *WINDOW_OPTIONS, "--folds", 3) == 0
    for fold in (1, 2, 3):
        assert run("pretrain", "pairs.npz", *TINY_OPTIONS, "--epochs", 1, "--fold", fold, "-o", f"{fold}.pt") == 0
    few = "--replicates", 10, "--no-baselines"
    assert run("evaluate", "1.pt", "2.pt", "3.pt", "pairs.npz", "--tracks", tracks, *few, "-o", "all") == 0
    told = capsys.readouterr().err
    assert "genome.fa: took '1' for 'chr1'" in told
    assert list(json.loads(Path("all/metrics.json").read_text())["models"]) == ["speid", *VARIANTS, COMBINED]
    assert run("evaluate", "1.pt", "pairs.npz", "--tracks", tracks, *few, "-o", "one") == 0
    assert f"no {COMBINED}: it needs models of all folds" in capsys.readouterr().err
    assert run("evaluate", "pairs.npz", "--no-model", "--tracks", tracks, *few, "-o", "none") == 0
    assert list(json.loads(Path("none/metrics.json").read_text())["models"]) == list(VARIANTS)
    Path("ctcf.broadPeak").write_text("1\t5950\t6100\t.\t0\t.\t1\n")
    message = fails("evaluate", "pairs.npz", "--no-model", "--tracks", tracks, *few, "-o", "none2")
    assert "ctcf.broadPeak:1: end 6100 is beyond chr1, which is 6000 bp long" in message
    Path("genome.fa").rename("elsewhere.fa")  # then lengths are not known
    capsys.readouterr()
    without = "evaluate", "pairs.npz", "--no-model", "--tracks", tracks, *few
    assert run(*without, "-o", "none3") == 0
    assert "whether the tracks are of the same genome build is not checked" in capsys.readouterr().err
    monkeypatch.setenv("SPEID_REFERENCE", "elsewhere.fa")
    assert "ctcf.broadPeak:1: end 6100 is beyond chr1" in fails(*without, "-o", "none4")
    monkeypatch.delenv("SPEID_REFERENCE")
    builders.write_bigwig(Path("short.bw"), {"chr1": np.ones(100)})
    Path("tracks.tsv").write_text("name\tpath\nA\tshort.bw\n")
    message = fails(*without, "-o", "none5")
    assert "pairs.npz: end " in message and "is beyond chr1, which is 100 bp long; expected coordinates of" in message
