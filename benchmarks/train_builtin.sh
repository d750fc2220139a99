#!/bin/sh
# Trains the built-in model from media/ on, stage by stage; every stage goes on from what RUN holds. On a GPU in half an hour, on a CPU in hours.
#   sh benchmarks/train_builtin.sh STAGE MINUTES      STAGE: codec, shards, student, distill, export, detail, all (MINUTES are of each training)
# RUN (runs/builtin by default) must hold media/train.npz and media/heldout.npz (docs/training.md, step 1). VIDEO: a video file for the codec beside the world.
set -eu
STAGE=${1:?codec, shards, student, distill, export, detail or all}
MINUTES=${2:-8}
RUN=${RUN:-runs/builtin}
PYTHON=${PYTHON:-.venv/bin/python}
TRAIN="$PYTHON -m motionstream_core train"
WRITERS=${WRITERS:-$(nproc)}
HELD="--held $RUN/held --codec $RUN/codec/codec.safetensors"

codec() { $TRAIN codec --folder "$RUN" --minutes "$MINUTES" --batch "${BATCH:-16}" ${VIDEO:+--video "$VIDEO"}; }

shards() { # many writers of one thread each; the first one also writes the held-out shards
    OMP_NUM_THREADS=1 $TRAIN shards --folder "$RUN" --seed 1 --count "${SHARDS:-12}"
    for seed in $(seq 2 "$WRITERS"); do OMP_NUM_THREADS=1 $TRAIN shards --folder "$RUN" --seed "$seed" --count "${SHARDS:-12}" & done
    wait
}

student() { $TRAIN causal --data "$RUN/shards" $HELD --minutes "$MINUTES" --batch "${BATCH:-32}" --out "$RUN/causal"; }

distill() {
    $TRAIN teacher --init "$RUN/causal/student.safetensors" --data "$RUN/shards" $HELD --minutes "$MINUTES" --batch "${BATCH:-32}" --out "$RUN/teacher"
    $TRAIN causal-init --start ar --init "$RUN/teacher/teacher.safetensors" --data "$RUN/shards" $HELD --minutes "$MINUTES" --batch "${BATCH:-32}" --out "$RUN/init"
    $TRAIN distill --student "$RUN/init/student.safetensors" --teacher "$RUN/teacher/teacher.safetensors" --data "$RUN/shards" $HELD --minutes "$MINUTES" --batch "${BATCH:-32}" \
        --text-weight 0.5 --motion-weight 0.5 --out "$RUN/distill"
}

export_all() { # weights files to compare with `evaluate --weights`
    for name in causal distill; do
        [ ! -f "$RUN/$name/student.safetensors" ] || $TRAIN export --folder "$RUN" --weights "$RUN/$name/student.safetensors" --out "$RUN/$name.safetensors"
    done
}

detail() { # the head behind the decoder, for the student that BEST names: causal or distill
    best="$RUN/${BEST:-causal}.safetensors"
    for seed in $(seq 1 "$WRITERS"); do OMP_NUM_THREADS=1 $TRAIN pairs --folder "$RUN" --weights "$best" --seed "$seed" --count "${PAIRS:-6}" & [ "$seed" != 1 ] || wait; done
    wait
    $TRAIN detail --data "$RUN/pairs" --held "$RUN/pairs_held" --minutes "$MINUTES" --batch "${BATCH:-32}" --lr 0.01 --ema 0.995 --out "$RUN/detail"
    $TRAIN export --base "$best" --detail "$RUN/detail/detail.safetensors" --out "$RUN/detailed.safetensors"
}

case $STAGE in
    codec | shards | student | distill | detail) "$STAGE" ;;
    export) export_all ;;
    all) codec && shards && student && distill && export_all && detail ;;
    *) echo "stage: expected codec, shards, student, distill, export, detail or all, got $STAGE" >&2 && exit 2 ;;
esac
