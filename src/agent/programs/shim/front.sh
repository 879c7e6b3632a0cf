#!/bin/sh
# Runs a site's server behind a small nginx of its own, which sends the static files; both belong to this one sandbox.
# nginx opens $DOMAIN_SOCKET only when the server listens, so that "it listens" means the same as without it.
#
# Usage: front.sh CONFIGURATION [SERVER ARGUMENT...]     without a server there are only files
# Descriptors as in launch.sh, but 2 is the server log, too.
set -u
configuration=$1
shift
# A shell would be passed over for what it started (leadersOf in processes.ts), and nginx must be asked first.
printf front >/proc/self/comm
umask 077
mkdir -p /dev/shm/holdfast-front
printf '%s' "$configuration" >/dev/shm/holdfast-front/nginx.conf
umask 022

nginx='' server=''
# Requests under way are finished by nginx, for which it needs the server; then the server ends in its own way.
finish() {
  trap '' TERM
  if [ -n "$nginx" ]; then
    kill -QUIT "$nginx" 2>/dev/null
    wait "$nginx"
  fi
  if [ -n "$server" ]; then
    kill -TERM "$server" 2>/dev/null
    wait "$server"
  fi
  exit 0
}
trap finish TERM

if [ $# -gt 0 ]; then
  "$@" &
  server=$!
fi
exec 3>&- 4>&-
while [ -n "$server" ] && ! [ -S "${DOMAIN_SOCKET%/*}/server.sock" ]; do
  if ! kill -0 "$server" 2>/dev/null; then
    wait "$server"
    exit $?
  fi
  # Somebody may wait for this site to wake.
  sleep 0.02
done
/usr/sbin/nginx -e stderr -c /dev/shm/holdfast-front/nginx.conf &
nginx=$!
wait "${server:-$nginx}"
code=$?
[ -z "$server" ] || kill -TERM "$nginx" 2>/dev/null
exit "$code"
