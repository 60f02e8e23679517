"""The page that `run.py` writes, with the minimal cost of each work; limits.md derives the counts."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
from commands import TRAINING, Way
from measurements import Run, Times
from work import Work

from speid_cli.model.config import PRESETS

C = PRESETS["paper"].model
BATCH = 100
PREPARED_PAIRS, PREPARED_BYTES = 44_313, 31e9 / 6
TARGETS = {
    "score unrelated": (4.5, 15),
    "score shared": (30, 120),
    "score shared, pairs only": (30, None),
    "train": (4, 12),
    "finetune": (6, None),
}


def element_flop(steps: int) -> float:
    """One element: gates of both directions, one recurrence, its dense share."""
    units = C.lstm_units
    return 2 * steps * (C.n_kernels * 8 * units + 4 * units * units + units * C.dense_units)


def pair_flop() -> float:
    """One pair whose elements are computed: one recurrence over each side, its dense share."""
    units = C.lstm_units
    return 2 * C.steps * (4 * units * units + units * C.dense_units)


def training_flop() -> float:
    """One pair: every product of the forward pass, and twice as many backwards."""
    units = C.lstm_units
    return 3 * 2 * C.steps * (C.n_kernels * 8 * units + 8 * units * units + 2 * units * C.dense_units)


def finetuning_flop() -> float:
    """One pair: the dense layer forwards, and its weights' gradient."""
    return 2 * 2 * C.steps * 2 * C.lstm_units * C.dense_units


class Report:
    """The page SPEED.md."""

    def __init__(
        self,
        work: Work,
        times: dict[tuple[str, str], Times],
        commands: dict[str, Way],
        prepared: dict[str, Run],
        about: dict[str, str],
        rounds: int,
    ) -> None:
        self._work, self._times, self._commands, self._prepared = work, times, commands, prepared
        self._about, self._rounds = about, rounds
        self._flop_rate = 2 * 9600 * 1024 * 800 / self._seconds("speid", "matrix product")
        self._byte_rate = 2 * 4 * 2**26 / self._seconds("speid", "copy")

    def write(self, path: Path) -> None:
        """Write the page."""
        parts = [self._head(), self._speeds(), self._whole_commands(), self._growth(), self._prepare()]
        path.write_text("\n\n".join(part for part in parts if part) + "\n")

    def _seconds(self, peer: str, work: str) -> float:
        return self._times[peer, work].median

    def _head(self) -> str:
        torch_rate = 2 * 9600 * 1024 * 800 / self._seconds("speid, PyTorch", "PyTorch matrix product")
        foreign = [value for times in self._times.values() for value in times.foreign]
        about = "; ".join(f"{name} {value}" for name, value in self._about.items() if name != "device")
        return f"""# Speed

Written by `python benchmarks/run.py`; [limits.md](limits.md) says how the limits are counted.

{about}.

{self._rounds} rounds, the peers taking turns, medians (range). Other processes kept {statistics.median(foreign):.2f}
cores busy meanwhile (median; at most {max(foreign):.2f}). fp32. Measured rates: matrix products
{self._flop_rate / 1e9:.0f} GFLOP/s (native; PyTorch's {torch_rate / 1e9:.0f}), copies {self._byte_rate / 1e9:.0f} GB/s,
read and written.

Shared pairs: {self._work.pairs:,} pairs of {self._work.enhancers:,} enhancers and {self._work.promoters:,} promoters
({self._work.pairs / self._work.elements:.1f} pairs an element): {self._work.source}. Unrelated pairs:
{self._work.unrelated}, no element twice. Everything else at the paper preset, batches of {BATCH}."""

    def _speeds(self) -> str:
        lines = [
            "| work | pairs/s | against Keras, its better mode | against plain PyTorch | of the limit |",
            "|---|---|---|---|---|",
        ]
        best: dict[str, float] = {}
        for kind, pairs in (("score", {"predict": self._work.unrelated, "predict_on_batch": BATCH}),
                            ("train", {"fit": self._work.unrelated, "train_on_batch": BATCH}),
                            ("finetune", {"fit": self._work.unrelated, "train_on_batch": BATCH})):  # fmt: skip
            for mode, count in pairs.items():
                lines.append(self._row("Keras", f"{kind}: {mode}", count, f"Keras, {kind}, `{mode}`"))
                best[kind] = max(best.get(kind, 0), count / self._seconds("Keras", f"{kind}: {mode}"))
            if kind != "finetune":
                lines.append(self._row("plain", kind, BATCH, f"plain PyTorch, {kind}"))
        for peer in ("speid, PyTorch", "speid"):
            for work, count, flop in self._works():
                if (peer, work) in self._times:
                    kind = work.partition(" ")[0]
                    lines.append(self._row(peer, work, count, f"**{peer} kernels**, {work}".replace("speid kernels",
                                 "speid, native kernels"), best[kind], self._plain(kind), flop))  # fmt: skip
        targets = "; ".join(
            f"{work}: {keras}x" + (f", {plain}x" if plain else "") for work, (keras, plain) in TARGETS.items()
        )
        return "\n".join(lines) + f"\n\nGoals, against Keras and against plain PyTorch: {targets}."

    def _works(self) -> list[tuple[str, int, float]]:
        """Name, pairs, and operations of matrix products in all."""
        unrelated, shared = self._work.unrelated, self._work.pairs
        sides = element_flop(C.enhancer_steps), element_flop(C.promoter_steps)
        elements = self._work.enhancers * sides[0] + self._work.promoters * sides[1]
        return [
            ("score unrelated", unrelated, unrelated * (sum(sides) + pair_flop())),
            ("score shared", shared, elements + shared * pair_flop()),
            ("score shared, pairs only", shared, shared * pair_flop()),
            ("train", unrelated, unrelated * training_flop()),
            ("finetune", 2000, 2000 * finetuning_flop()),
            ("finetune from elements", 2000, 2000 * finetuning_flop()),
        ]

    def _plain(self, kind: str) -> float | None:
        return BATCH / self._seconds("plain", kind) if ("plain", kind) in self._times else None

    def _row(
        self,
        peer: str,
        work: str,
        pairs: int,
        title: str,
        keras: float | None = None,
        plain: float | None = None,
        flop: float = 0,
    ) -> str:
        times = self._times[peer, work]
        rate = pairs / times.median
        spread = f"{rate:,.0f} ({pairs / max(times.seconds):,.0f} to {pairs / min(times.seconds):,.0f})"
        reached = f"{flop / self._flop_rate / times.median:.0%}" if flop else ""
        ratios = [f"{rate / other:.1f}x" if other else "" for other in (keras, plain)]
        return f"| {title} | {spread} | {ratios[0]} | {ratios[1]} | {reached} |"

    def _whole_commands(self) -> str:
        """A row for each way; training is compared with Keras, which was measured before."""
        if not self._commands:
            return ""
        lines = [
            "## Whole commands", "",
            "From start to end, imports and the reading of all files included.", "",
            "| way | number | seconds (range) | a second | compared with | times as fast |",
            "|---|---|---|---|---|---|",
        ]  # fmt: skip
        for name, way in self._commands.items():
            rate, other, title = way.count / way.times.median, None, ""
            if name == TRAINING:
                title = "Keras, `fit`"
                other = self._work.unrelated / self._seconds("Keras", "train: fit")
            elif way.beside:
                title, beside = way.beside, self._commands[way.beside]
                other = beside.count / beside.times.median
            spread = f"{way.times.median:.1f} ({min(way.times.seconds):.1f} to {max(way.times.seconds):.1f})"
            ratio = f"{rate / other:.2f}" if other else ""
            lines.append(f"| {name} | {way.count:,} {way.what} | {spread} | {rate:,.0f} | {title} | {ratio} |")
        return "\n".join(lines) + (
            "\n\nGoals: lines alone 400,000/s, `predict` at least .9 of the scorer, `candidates` 1,000,000/s, training "
            "4 times Keras."
        )

    def _growth(self) -> str:
        """How cost grows: a line through the medians, and the exponent of a power law through them."""
        lines = ["## How cost grows", "", "| with | sizes | milliseconds | slope | power |", "|---|---|---|---|---|"]
        groups: dict[str, list[tuple[int, float]]] = {}
        for (peer, work), times in self._times.items():
            what, _, size = work.rpartition(" ")
            if peer == "speid" and size.isdigit():
                groups.setdefault(what, []).append((int(size), 1e3 * times.median))
        for what, points in groups.items():
            sizes, values = (np.array(column, float) for column in zip(*points, strict=True))
            slope = np.polyfit(sizes, values, 1)[0]
            power = np.polyfit(np.log(sizes), np.log(values), 1)[0]
            each = {"elements": "ms an element", "pairs": "ms a pair"}.get(what, "ms each for 48 enhancers")
            lines.append(
                f"| {what} | {', '.join(f'{size:,.0f}' for size in sizes)} "
                f"| {', '.join(f'{value:,.0f}' for value in values)} | {slope:.3g} {each} | {power:.2f} |"
            )
        return "\n".join(lines) + "\n\nGoals: a power of 1, at most 2 ms an element and 0.25 ms a pair."

    def _prepare(self) -> str:
        if not self._prepared:
            return ""
        lines = [
            "## `prepare`",
            "",
            f"GM12878, {PREPARED_PAIRS:,} pairs, a genome of hg19's sizes.",
            "",
            "| way | seconds (range) | largest memory, MB | bytes written |",
            "|---|---|---|---|",
        ]
        for way, run in self._prepared.items():
            spread = f" ({min(run.seconds):.1f} to {max(run.seconds):.1f})" if len(run.seconds) > 1 else ""
            written = f"{run.written:,}" if run.written else ""
            lines.append(f"| {way} | {run.median:.1f}{spread} | {run.memory:,.0f} | {written} |")
        ours, alone, usual, _ = self._prepared.values()
        return "\n".join(lines) + (
            f"\n\n`speid prepare` takes {ours.median / alone.median:.1f} times as long as `bedtools getfasta` alone "
            f"(goal: at most 3), the usual way {usual.median / ours.median:.1f} times as long as it (goal: at "
            f"least 8); its file is {PREPARED_BYTES / ours.written:.0f} times smaller than a sixth of the authors' "
            "31 GB (goal: 50)."
        )
