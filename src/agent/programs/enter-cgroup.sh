#!/bin/sh
# Usage: enter-cgroup.sh OPEN_FILES DESCRIPTORS PROCS_FILE... -- COMMAND [ARGUMENT...]
# DESCRIPTORS (a list in one argument, usually empty) are closed: the agent itself inherited them and cannot keep them back.
# Joins every cgroup before COMMAND starts, so that no process of a program is ever outside of its limits, also when the
# agent dies between two steps. Refuses to start when one cannot be joined.
set -eu
umask 022
ulimit -c 0
ulimit -n "$1"
for descriptor in $2; do
  eval "exec $descriptor>&-"
done
shift 2
while [ "$1" != -- ]; do
  echo $$ > "$1"
  shift
done
shift
exec "$@"
