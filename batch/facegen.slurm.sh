#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A labelled data set as a Slurm array. Submit from the checkout (after `make demo`), which the
# nodes have to see at the same path, like the output folder:
#
#   job=$(sbatch --parsable --array=0-7 batch/facegen.slurm.sh \
#     dataset make --recipe photos --count 16000 --output /shared/data)
#   sbatch --dependency=afterok:$job batch/facegen.slurm.sh dataset merge /shared/data
#
# Task i of an array 0-7 makes every 8th tar file, `--shard i/8`; what follows `dataset make` goes to
# it as it is, after one render process of one thread for each CPU of the task (name both --workers
# and --threads to change that). The merge, with `dataset verify` after it, starts once all tasks
# have ended with 0. What follows the folder goes to verify: --model and --recipe, where the model
# is a file or the recipe names folders. The #SBATCH lines are defaults; --time, --mem,
# --cpus-per-task, --gres=gpu:1, --partition given to sbatch before the script's name win.
# `generate ...` and `merge ...`, as the two were called before, go on working.
#
# Nothing is lost: two minutes before a time limit a task gets SIGTERM, keeps what is rendered, and
# puts itself back into the queue, where it goes on (20 times at most); `scancel` ends it for good.
# To run some tasks of an array again, say how many there were:
#
#   FACEGEN_SHARDS=8 sbatch --array=3,5 batch/facegen.slurm.sh dataset make ... (as before)
#
# FACEGEN_COMMAND starts FaceGen's command line in the checkout; its words are separated by spaces:
#   FACEGEN_COMMAND="blender -b -P batch/run.py --" sbatch ...
#
# Tried on Slurm 22.05.8 (Debian 12), one node, without accounting and without cgroups: a two-task
# array and its merge, a time limit, scancel, scontrol requeue; the data set was that of one local
# run. Not tried: several nodes, preemption, GPUs, confinement by cgroups.
#
#SBATCH --job-name=facegen
#SBATCH --output=%x-%j.log
#SBATCH --open-mode=append
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=1-00:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@120

most_restarts=20

main() {
  read -r -a facegen <<<"${FACEGEN_COMMAND:-.venv/bin/python batch/run.py}"
  if [ ! -f batch/run.py ]; then
    fail "no batch/run.py in $PWD; submit from FaceGen's checkout, or give sbatch --chdir"
  fi
  case "${1:-} ${2:-}" in
    "dataset make") make "${@:3}" ;;
    "dataset merge") merge "${@:3}" ;;
    "generate "*) make "${@:2}" ;;
    "merge "*) merge "${@:2}" ;;
    *) fail "told '${1:-} ${2:-}'; that has to be dataset make or dataset merge" ;;
  esac
}

merge() {
  "${facegen[@]}" dataset merge "${1:-}" && "${facegen[@]}" dataset verify "$@"
}

make() {
  local task=${SLURM_ARRAY_TASK_ID:-0} tasks status=0
  tasks=${FACEGEN_SHARDS:-$(tasks_of_array)} || exit
  "${facegen[@]}" dataset make --workers "${SLURM_CPUS_PER_TASK:-1}" --threads 1 "$@" \
    --shard "$task/$tasks" --resume &
  local child=$!
  trap 'stopped=yes; kill -TERM "$child"' TERM
  # A signal ends `wait` early: only what it says of a process that is gone is its status.
  while wait "$child"; status=$?; kill -0 "$child" 2>/dev/null; do :; done
  if [ -n "${stopped:-}" ] && [ "$status" -ne 0 ]; then
    requeue
  fi
  return "$status"
}

# How many tasks the array has; part of one does not tell.
tasks_of_array() {
  local count=${SLURM_ARRAY_TASK_COUNT:-1} least=${SLURM_ARRAY_TASK_MIN:-0}
  if [ "$least" -ne 0 ] || [ "${SLURM_ARRAY_TASK_MAX:-0}" -ne $((count - 1)) ]; then
    fail "an array that is not 0 to n-1; set FACEGEN_SHARDS to the number of tasks that the run has"
  fi
  echo "$count"
}

# Not what `scancel` ended, which is no longer "running" when its SIGTERM arrives.
requeue() {
  # Of an array's tasks one may have the array's own number, which stands for all of them.
  local job=$SLURM_JOB_ID
  [ -z "${SLURM_ARRAY_JOB_ID:-}" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
  case $(scontrol show job "$job") in
    *JobState=RUNNING*) ;;
    *) return ;;
  esac
  if [ "${SLURM_RESTART_COUNT:-0}" -ge "$most_restarts" ]; then
    fail "started again $SLURM_RESTART_COUNT times and still not done; raise --time, submit again"
  fi
  scontrol requeue "$job"
}

fail() {
  echo "facegen.slurm.sh: $1" >&2
  exit 2
}

main "$@"
