#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An array job of a real Slurm, on this machine alone: slurm.sh MIEN. One of its tasks is killed on the way and done
# again, as after a node's failure. The merged shards are the bytes of one run. Exits with 77 where Slurm or munge is not
# installed, or its user is not root, which the daemons want.
set -euo pipefail
mien="$(realpath "$1")"
source="$(realpath "$(dirname "$0")/../..")"
PATH="$PATH:/usr/sbin"
for program in munged slurmctld slurmd sbatch; do
  command -v $program >/dev/null || { echo "slurm.sh: $program is not installed"; exit 77; }
done

folder="$(mktemp -d)"
chmod 711 "$folder" # munge's daemon and its clients meet there
stop() { # they write to the folder until they are gone
  local name pid
  for name in slurmd slurmctld munged; do
    pid="$(cat "$folder/$name.pid" 2>/dev/null)" || continue
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 100); do
      grep -q '^State:.*[ZX]' "/proc/$pid/status" 2>/dev/null || [ ! -e "/proc/$pid" ] && break
      sleep 0.1
    done
  done
  rm -rf "$folder"
}
trap stop EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'; }

head -c 1024 /dev/urandom >"$folder/munge.key"
chmod 400 "$folder/munge.key"
mkdir "$folder/state" "$folder/spool"
host="$(hostname -s)"
cat >"$folder/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
CompleteWait=0
MpiDefault=none
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$host Default=YES State=UP
CONF
export SLURM_CONF="$folder/slurm.conf"
munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
  --log-file="$folder/munged.log" --seed-file="$folder/munge.seed"
slurmctld
slurmd

# The README's job, of seven shards, the third of which is killed after its second part and begun again.
cat >"$folder/job.sh" <<JOB
#!/bin/bash
#SBATCH --array=1-7
#SBATCH --output=$folder/job-%a.txt
task() {
  exec "$mien" label "$source/models/goemotions/dev.tsv" --no-header --threads 1 -o "$folder/labels.jsonl.zst" \\
    --part-rows 50 --shard \$SLURM_ARRAY_TASK_ID/7 --resume
}
if [ \$SLURM_ARRAY_TASK_ID = 3 ]; then
  task &
  while [ "\$(cat "$folder/labels.jsonl.zst/shard-3-of-7.manifest.jsonl" 2>/dev/null | wc -l)" -lt 3 ]; do sleep 0.01; done
  kill -9 \$!
  wait
fi
task
JOB
fail() {
  echo "slurm.sh: $*" >&2
  tail -n 20 "$folder"/job-*.txt "$folder"/slurm*.log >&2
  exit 1
}
job="$(sbatch --parsable "$folder/job.sh")"
for _ in $(seq 600); do
  left="$(squeue -h -j "$job" 2>/dev/null)" || break # forgotten: it is done
  [ -n "$left" ] || break
  sleep 0.2
done
[ -z "$left" ] || fail "the job does not end"
"$mien" merge "$folder/labels.jsonl.zst" -o "$folder/merged.jsonl" || fail "no merge"
"$mien" label "$source/models/goemotions/dev.tsv" --no-header -o "$folder/once.jsonl" --quiet
left="$(sed -n 's/^mien: \([0-9]*\) texts.*/\1/p' "$folder/job-3.txt")"
[ "${left:-775}" -le 675 ] || fail "task 3: expected to go on after 100 rows of 775 at least, found $left left"
cmp "$folder/once.jsonl" "$folder/merged.jsonl"
echo "slurm.sh: $(slurmd -V): 7 tasks of an array, $(wc -l <"$folder/merged.jsonl") rows, the bytes of one run"
