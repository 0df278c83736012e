#!/usr/bin/env bash
# Times `windlass render` against the real `helm template` in one run: the charts that are named, or else
# the demo chart and umbrellas of n copies of a chart. Prints a table with medians, ratios and peak memory,
# whether both print the same, and how both grow with n.
#
#   tests/bench/render.sh [RUNS [CHART...]]       RUNS of each command, 15 when not given
#
# Both are run by turns, so that a busy machine is unfair to neither. WINDLASS and HELM name other binaries.
set -euo pipefail
runs=${1:-15}
charts=()
for chart in "${@:2}"; do charts+=("$(realpath -- "$chart")"); done
cd "$(dirname "$0")/../.."
export WINDLASS=${WINDLASS:-$PWD/target/release/windlass}
export HELM=${HELM:-$(tests/testbed/testbed oracle helm)}
exec python3 tests/bench/render.py "$runs" ${charts[@]+"${charts[@]}"}
