#!/usr/bin/env bash
# From a fresh clone to scored pairs: sets up, simulates a small genome, trains and predicts.
# usage: bash examples/quickstart.sh [FOLDER]     (default: quickstart)
set -euo pipefail
cd "$(dirname "$0")/.."
. examples/setup.sh
setup_speid jaspar
out=${1:-quickstart}

say "== simulate: a genome, its elements and labelled pairs"
python examples/simulate.py --output "$out"
here=$PWD
cd "$out"

say "== motifs: JASPAR matrices into kernels"
speid motifs motifs.jaspar --preset tiny --force

say "== prepare: pairs and reference into a data set; whole chromosomes are held out"
speid prepare pairs.bedpe genome.fa --enhancer-window 800 --promoter-window 500 --force

say "== pretrain: the whole network, on shifted pairs"
speid pretrain pairs.npz --preset tiny --motifs kernels.npz --epochs 4 --force

say "== finetune: the dense part, on the pairs as they are"
speid finetune pairs.pretrained.pt pairs.npz --epochs 6 --force

say "== evaluate: the held-out pairs, compared with baselines; threshold and calibration"
speid evaluate pairs.pt pairs.npz --fit --output evaluation --force

say "== predict: score every pair"
speid predict pairs.pt pairs.bedpe --output scored.bedpe --force

say "== results"
python "$here/examples/summarise.py" pairs.npz scored.bedpe pairs.pt
