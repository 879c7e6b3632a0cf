#!/bin/sh
# Usage: enter-cgroup.sh OPEN_FILES PROCS_FILE... -- COMMAND [ARGUMENT...]
# Joins every cgroup before COMMAND starts, so that no process of a program is ever outside of its limits, also when the
# agent dies between two steps. Refuses to start when one cannot be joined.
set -eu
umask 022
ulimit -c 0
ulimit -n "$1"
shift
while [ "$1" != -- ]; do
  echo $$ > "$1"
  shift
done
shift
exec "$@"
