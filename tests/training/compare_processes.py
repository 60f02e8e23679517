"""Run by torchrun: trains in all processes together and in each alone, and prints how far apart they are."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from itertools import product

from speid_cli.dataset.pairs import PairDataset
from speid_cli.model.config import TrainingConfig
from speid_cli.model.device import Device
from speid_cli.model.native.library import SWITCH
from speid_cli.model.processes import SINGLE_PROCESS, Processes
from speid_cli.training.stages import finetune, pretrain
from tests import builders
from tests.builders import SilentObserver

CONFIG = replace(builders.TINY, feature_dropout=0.25, sequence_dropout=0.5, dense_dropout=0.5)
# All samples of an epoch are one batch, so that its loss is a step's.
SETTINGS = TrainingConfig(epochs=12, batch_size=1000, learning_rate=1e-3, copies=3)


def main() -> None:
    """Print, by stage and kernels, the largest difference of a step's loss."""
    processes, dataset = Processes.of_torchrun(), PairDataset.read(sys.argv[1])
    start = replace(builders.random_checkpoint(CONFIG, stages=[]), stage="pretrained")
    tuning = replace(SETTINGS, copies=1, shift="none")
    found: dict[str, float] = {}
    with processes.connected():
        for stage, native in product(("pretrain", "finetune"), "10"):
            os.environ[SWITCH] = native
            losses = []
            for several in (processes, SINGLE_PROCESS):
                device = Device("cpu", processes=several)
                if stage == "pretrain":
                    model = pretrain(dataset, CONFIG, SETTINGS, None, device, 0, SilentObserver())
                else:
                    model = finetune(start, dataset, tuning, device, 0, SilentObserver())
                losses.append([row["training_loss"] for row in model.history])
            found[f"{stage}, {SWITCH}={native}"] = max(abs(a - b) for a, b in zip(*losses, strict=True))
    if processes.is_main:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
