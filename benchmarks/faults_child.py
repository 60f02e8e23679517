"""What a child of the fault bench has imported before it is started, so that kills hit work and not imports."""

import sklearn.metrics  # noqa: F401
import torch._dynamo  # noqa: F401 (what an optimiser imports when it is first made)

from speid_cli.cli import evaluate, finetune, predict, prepare, pretrain  # noqa: F401
from speid_cli.dataset import assembly  # noqa: F401
from speid_cli.scoring import stream  # noqa: F401
from speid_cli.training import stages  # noqa: F401
