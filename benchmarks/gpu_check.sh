#!/usr/bin/env bash
# Everything that a GPU is used for, checked and timed: prints one table. Steps for which a piece is missing are
# "not available". Run it from anywhere, in the environment of pose-rig, on an idle machine:
#
#     benchmarks/gpu_check.sh [--out DIR] [--training MINUTES] [--quick] [MOTION.npz…]
#
# --training: at most so long for one training of weights like the shipped ones (5; 0 = none); the MOTION files are those
# of docs/training.md, without one synthetic motion is used. --quick: a test of the script; its figures are meaningless.
set -uo pipefail
cd "$(dirname "$0")/.."
OUT=gpu_check MINUTES=5 QUICK="" MOTION=() PYTHON=${PYTHON:-python3}
while [ $# -gt 0 ]; do
    case $1 in
        --out) OUT=$2; shift 2 ;;
        --training) MINUTES=$2; shift 2 ;;
        --quick) QUICK=--quick; shift ;;
        -h | --help) sed -n 2,9p "$0"; exit 0 ;;
        *) MOTION+=(--simulated "$1"); shift ;;
    esac
done
[ ${#MOTION[@]} -gt 0 ] || MOTION=(--simulated)
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
: >"$OUT/steps.tsv"
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1

# step NAME LIMIT_S COMMAND…: runs a command with its output in NAME.log and adds a line to steps.tsv
step() {
    local name=$1 limit=$2 began=$SECONDS state=ok
    shift 2
    echo "== $name"
    timeout -s INT -k 20 "$limit" "$@" >"$OUT/$name.log" 2>&1
    local code=$?
    [ $code = 0 ] || state="failed ($code)"
    [ $code = 124 ] && state="stopped after $limit s"
    if grep -q "not available" "$OUT/$name.log"; then state=$(grep -m1 -o "not available.*" "$OUT/$name.log"); fi
    printf '%s\t%s\t%s\n' "$name" "$state" $((SECONDS - began)) >>"$OUT/steps.tsv"
}

have_cuda() { "$PYTHON" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; }

step gpu 20 nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
step doctor 600 "$PYTHON" -m pose_rig doctor
step tests 600 "$PYTHON" -m pytest -q -p no:cacheprovider -m gpu tests/lifting tests/training
for provider in cpu cuda tensorrt; do
    step "graph_$provider" 300 "$PYTHON" -m benchmarks.speed.graph_speed $QUICK --provider $provider --json "$OUT/graph_$provider.json"
    step "fuse_$provider" 300 "$PYTHON" -m benchmarks.speed.fuse_speed $QUICK --steps 300 --no-memory --provider $provider \
        --json "$OUT/fuse_$provider.json"
done
for device in cpu cuda; do
    if [ $device = cuda ] && ! have_cuda; then
        step "train_step_$device" 5 echo "not available: torch finds no GPU"
    else
        step "train_step_$device" 300 "$PYTHON" -m benchmarks.training.train_speed $QUICK --part steps --ours --device $device \
            --json "$OUT/train_step_$device.json"
    fi
done
if have_cuda; then
    for method in supervised canonpose csm-s1 csm-s1s2 released released-s1s2 ours ours-sp; do  # all at once
        step "train_$method" 120 "$PYTHON" -m pose_rig train --simulated --takes 8 --steps 40 --width 64 --device cuda \
            --method $method --out "$OUT/train_$method.pt" --force &
    done
    wait
    if [ "$MINUTES" != 0 ]; then
        step training $((60 * MINUTES)) "$PYTHON" -m pose_rig train --method taught "${MOTION[@]}" --rehearsal 2048 --batch 64 \
            --width 512 --rate 1e-3 --steps 13000 --device cuda --out "$OUT/trained.pt" --force
    fi
else
    step training 5 echo "not available: torch finds no GPU"
fi
"$PYTHON" -m benchmarks.gpu_table "$OUT"
