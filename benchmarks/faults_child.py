"""Imports of `faults.py`'s processes before they start, so that kills hit their work and not their imports."""

import sklearn.metrics  # noqa: F401
import torch._dynamo  # noqa: F401 (what an optimiser imports when it is first made)

from speid_cli.cli import evaluate, finetune, predict, prepare, pretrain  # noqa: F401
from speid_cli.dataset import assembly  # noqa: F401
from speid_cli.scoring import stream  # noqa: F401
from speid_cli.training import stages  # noqa: F401
