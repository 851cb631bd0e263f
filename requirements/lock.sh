#!/usr/bin/env bash
# Pins every version again: backend.txt, docs.txt and spark.txt (Python 3.11), gpu.txt (3.12) and ui.txt (3.13). Run by `make lock`, which says where torch is:
# the build on PyPI would have its CUDA libraries pinned too.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$1
shift
ours=$(printf -- '--no-emit-package %s ' torch recsys candidate-gen reranker gateway trainer event-sink feast-sync recsys-client recsys-cli)
options="--quiet --upgrade --no-annotate --no-header"
# shellcheck disable=SC2086
"$uv" pip compile $options --python-version 3.11 --constraint requirements/torch.txt $ours \
  "$@" requirements/backend.in --output-file requirements/backend.txt
# shellcheck disable=SC2086
"$uv" pip compile $options --python-version 3.12 --python-platform x86_64-manylinux_2_39 \
  --constraint requirements/backend.txt requirements/gpu.in --output-file requirements/gpu.txt
# shellcheck disable=SC2086
"$uv" pip compile $options --python-version 3.13 services/ui/pyproject.toml requirements/ui.in --output-file requirements/ui.txt
# shellcheck disable=SC2086
"$uv" pip compile $options --python-version 3.11 requirements/docs.in --output-file requirements/docs.txt
# shellcheck disable=SC2086
"$uv" pip compile $options --python-version 3.11 requirements/spark.in --output-file requirements/spark.txt
