#!/usr/bin/env bash
# Concatenate the shards of scan.sbatch, in order. If one is missing, name it and write nothing.
# usage: bash gather.sh FOLDER N SCORED.bedpe
set -euo pipefail

if [ $# != 3 ] || [ "$2" -lt 1 ]; then
    echo "usage: bash gather.sh FOLDER N SCORED.bedpe" >&2
    exit 2
fi
folder=$1 shards=$2 output=$3
parts=() missing=()
for ((shard = 1; shard <= shards; shard++)); do
    printf -v part '%s/%04d-of-%04d.bedpe' "$folder" "$shard" "$shards"
    parts+=("$part")
    [ -e "$part" ] || missing+=("$shard")
done
if [ "${#missing[@]}" -gt 0 ]; then
    tasks=$(IFS=,; echo "${missing[*]}")
    echo "$folder lacks shards $tasks of $shards; run them: SHARDS=$shards sbatch --array $tasks scan.sbatch" >&2
    exit 1
fi
cat "${parts[@]}" > "$output.part"
mv "$output.part" "$output"
