#!/usr/bin/env bash
# A real SLURM of one node on this machine, for the tests marked `slurm`: `cluster.sh start`, `cluster.sh stop`.
#
# Needs root on a Debian or Ubuntu machine; installs slurm-wlm and munge where they are missing. Everything lies under
# /tmp/locnet-slurm; `start` prints the line that makes the commands find it: export SLURM_CONF=...
# A cluster that answers already is left as it is. Exit code 3: SLURM cannot be installed here.
set -euo pipefail

HOME_DIR=${LOCNET_SLURM:-/tmp/locnet-slurm}
export SLURM_CONF=$HOME_DIR/slurm.conf

answers() { timeout 10 sinfo --noheader --format %T 2>/dev/null | grep -qE '^(idle|mixed|allocated)'; }

installed() { command -v slurmctld && command -v slurmd && command -v munged; } >/dev/null

install() {
  installed && return
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "needs root and apt-get" >&2; exit 3; }
  export DEBIAN_FRONTEND=noninteractive
  for _ in 1 2 3; do
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends slurm-wlm munge; } >/dev/null 2>&1 || true
    installed && return
    sleep 3
  done
  echo "slurm-wlm and munge cannot be installed" >&2
  exit 3
}

configure() {
  local host cores memory
  host=$(uname -n | cut -d. -f1) cores=$(nproc) memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
  mkdir -p "$HOME_DIR"/{state,spool,log}
  # two tasks must fit also where there is one core; no cgroups and no accounting: this is a test bench
  cat >"$SLURM_CONF" <<CONF
ClusterName=locnet
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
JobRequeue=1
KillWait=30
MinJobAge=300
SchedulerParameters=sched_interval=2
StateSaveLocation=$HOME_DIR/state
SlurmdSpoolDir=$HOME_DIR/spool
SlurmctldPidFile=$HOME_DIR/slurmctld.pid
SlurmdPidFile=$HOME_DIR/slurmd.pid
SlurmctldLogFile=$HOME_DIR/log/slurmctld.log
SlurmdLogFile=$HOME_DIR/log/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
NodeName=$host NodeAddr=127.0.0.1 CPUs=$((cores < 2 ? 2 : cores)) RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
CONF
  # SLURM 23 and later ask for cgroups unless told not to; earlier ones do not know the word
  [ "$(slurmctld -V | tr -dc '0-9.' | cut -d. -f1)" -lt 23 ] || echo "CgroupPlugin=disabled" >"$HOME_DIR/cgroup.conf"
}

start() {
  install
  [ -f "$SLURM_CONF" ] && answers && return
  configure
  [ -f /etc/munge/munge.key ] || (umask 077; head -c 1024 /dev/urandom >/etc/munge/munge.key)
  mkdir -p /run/munge /var/log/munge /var/lib/munge
  chown munge: /etc/munge/munge.key /run/munge /var/log/munge /var/lib/munge
  chmod 755 /run/munge
  munge --no-input >/dev/null 2>&1 || runuser -u munge -- munged --force </dev/null >/dev/null 2>&1
  # daemons must not hold the pipe of a caller that waits for the end of our output
  slurmctld -c </dev/null >/dev/null 2>&1
  slurmd -c </dev/null >/dev/null 2>&1
  for _ in $(seq 60); do
    answers && return
    sleep 0.5
  done
  echo "SLURM does not answer; its logs:" >&2
  tail -n 20 "$HOME_DIR"/log/*.log >&2
  return 1
}

stop() {
  scancel --state=PENDING,RUNNING --user=root 2>/dev/null || true
  for daemon in slurmd slurmctld; do
    [ -f "$HOME_DIR/$daemon.pid" ] || continue
    local pid
    pid=$(cat "$HOME_DIR/$daemon.pid")
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  done
  rm -rf "$HOME_DIR"
}

case "${1:-}" in
start) start && echo "export SLURM_CONF=$SLURM_CONF" ;;
stop) stop ;;
*) echo "usage: $0 start|stop" >&2; exit 2 ;;
esac
