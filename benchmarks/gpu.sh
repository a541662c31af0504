#!/usr/bin/env bash
# All checks that need a GPU, within eight minutes: benchmarks/gpu.sh SHARDS
#
# SHARDS holds faces of 256 px. Takes python3 as it finds it (PYTHON names another one), with the
# caller's PYTHONPATH. One part that fails, or runs out of time, does not lose the others' results;
# the exit code is 1 then. Left in ${OUT:-benchmarks/out}: gpu.log, the result files, the history of
# the full run, its last training grid and a grid of samples: at most eight files.
#
# LIMIT_S is the time for everything, ITERS the length of the full run, WORK a folder to keep runs in.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ $# -ne 1 || ! -f $1/index.json ]]; then
    echo "usage: benchmarks/gpu.sh SHARDS, a folder with index.json" >&2
    exit 2
fi
shards=$(realpath "$1")
out=${OUT:-benchmarks/out}
mkdir -p "$out"
out=$(realpath "$out")
python=${PYTHON:-python3}
limit=${LIMIT_S:-480}
iters=${ITERS:-50000}
work=${WORK:-$(mktemp -d)}
[[ -n ${WORK:-} ]] || trap 'rm -rf "$work"' EXIT
export PYTHONUNBUFFERED=1
: >"$out/gpu.log"
mkdir -p "$work"
touch "$work/begun"

times=()
failed=()

# part NAME SECONDS COMMAND...: run it, note its time; never ends the script.
part() {
    local name=$1 most=$2 began=$SECONDS status=0
    local left=$((limit - SECONDS))
    shift 2
    ((most < left)) || most=$left
    if ((most < 1)); then
        times+=("$(printf '%-10s not run: no time left' "$name")")
        failed+=("$name")
        return
    fi
    echo "== $name, at most $most s" | tee -a "$out/gpu.log"
    # Ctrl-C first: training saves what it has. Then an end to it.
    timeout --signal=INT --kill-after=15 "$most" "$@" 2>&1 | tee -a "$out/gpu.log" || status=$?
    times+=("$(printf '%-10s %4d s, exit code %d' "$name" $((SECONDS - began)) "$status")")
    [[ $status -eq 0 ]] || failed+=("$name")
}

# keep FILE NAME: copy what this call has written.
keep() {
    if [[ $1 -nt $work/begun ]]; then cp "$1" "$out/$2"; fi
}


mapfile -t tests < <(grep -rl --include='*.py' 'mark\.gpu' tests)
part tests 100 "$python" -m pytest -q -m gpu -p no:cacheprovider "${tests[@]}"

part roofline 40 "$python" -m benchmarks.roofline --device cuda --write
keep benchmarks/results/roofline-cuda.json roofline-cuda.json

# Two checkpoints and five grids: what is timed is training.
part full 180 "$python" -m cli train --workspace "$work" --shards "$shards" --device cuda \
    --size 256 --batch 16 --iters "$iters" --name full --restart \
    --checkpoint-every 25000 --sample-every 10000 --json
run=$(find "$work" -maxdepth 2 -path "*/runs/*-full" | sort | tail -n 1)
full=()
if [[ -n $run ]]; then
    keep "$run/history.csv" history.csv
    last=$(find "$run/samples" -name 'iter-*.png' | sort | tail -n 1)
    keep "$last" training-grid.png
    if [[ $(tail -n 1 "$run/history.csv") == 50000,* ]]; then
        full=(--full-run "$run/history.csv")
    fi
    part sample 40 "$python" -m cli sample --workspace "$work" --count 64 --device cuda --out "$work/drawn"
    keep "$work/drawn/grid.png" grid.png
    # Ends early enough for the comparison, which matters more.
    part quality 60 "$python" -m benchmarks.quality "$run" "$shards" --device cuda \
        --samples 500 --pairs 250 --write quality-cuda
    keep benchmarks/results/quality-cuda.json quality-cuda.json
fi

part train 300 "$python" -m benchmarks.train --device cuda --repeats 5 ${full[@]+"${full[@]}"}
keep benchmarks/results/train-cuda.json train-cuda.json

{
    printf '%s\n' "${times[@]}"
    echo "all of it  $SECONDS s"
    if [[ ${#failed[@]} -gt 0 ]]; then echo "FAILED: ${failed[*]}"; else echo "all parts passed"; fi
} | tee -a "$out/gpu.log"
[[ ${#failed[@]} -eq 0 ]]
