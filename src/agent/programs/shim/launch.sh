#!/bin/sh
# Process of a site that becomes its server. Runs inside the sandbox with the member's rights: everything that has to look
# at member storage before the server can start is done here, never in the agent.
#
# Usage: launch.sh KIND WORKERS TIMEOUT PYTHON_VERSION PLUGIN_VERSION VIRTUALENV WORKING_DIRECTORY COMMAND
#                  FRONT
# FRONT is the configuration of the nginx that stands before the server (see front.sh), or "" when none is needed.
# Descriptors: 1 server log, 2 the agent (what goes wrong before the server runs), 3 error log, 4 the agent (steps).
set -u
kind=$1 workers=$2 timeout=$3 python_version=$4 plugin_version=$5 virtualenv=$6 working_directory=$7 command=$8
front=$9

fail() {
  printf 'failed\t%s\t%s\n' "$1" "$2" >&4
  exit 64
}

printf 'launched\n' >&4

if ! cd "$working_directory" 2>/dev/null; then
  fail interpreter "The working directory $working_directory does not exist. Create it, or set another one."
fi

if [ "$kind" = command ]; then
  exec /bin/bash -c "$command" 2>&3 3>&- 4>&-
fi

socket=$DOMAIN_SOCKET
[ -z "$front" ] || socket=${DOMAIN_SOCKET%/*}/server.sock
if [ "$kind" = static ]; then
  exec /bin/sh /opt/holdfast/front.sh "$front" 2>&1
fi

server=uwsgi
if [ "$kind" = wsgi ]; then
  if [ -n "$virtualenv" ]; then
    [ -d "$virtualenv" ] ||
      fail interpreter "The virtualenv $virtualenv does not exist. Create it with: python$python_version -m venv $virtualenv"
    [ -f "$virtualenv/pyvenv.cfg" ] && { [ -e "$virtualenv/bin/python" ] || [ -L "$virtualenv/bin/python" ]; } ||
      fail interpreter "$virtualenv is not a virtualenv: it has no pyvenv.cfg or no bin/python. Create it again."
    [ -x "$virtualenv/bin/python" ] ||
      fail interpreter "The Python of the virtualenv $virtualenv is not there any more. Create the virtualenv again."
    found=$(sed -n 's/^version\(_info\)\{0,1\} *= *\([0-9]*\.[0-9]*\).*/\2/p' "$virtualenv/pyvenv.cfg" | head -n 1)
    [ "$found" = "$python_version" ] ||
      fail interpreter "The virtualenv $virtualenv has Python ${found:-of an unknown version}, and the site is set to Python $python_version. Make them the same."
    if [ "$python_version" != "$plugin_version" ]; then
      server=gunicorn
      [ -f "$virtualenv/bin/gunicorn" ] ||
        fail interpreter "Sites with Python $python_version are served by gunicorn, and $virtualenv does not have it. Install it with: $virtualenv/bin/pip install gunicorn"
    fi
  elif [ "$python_version" != "$plugin_version" ]; then
    fail interpreter "Python $python_version needs a virtualenv with gunicorn here. Create one with: python$python_version -m venv ~/.virtualenvs/${HOST_NAME:-site}, install gunicorn into it, and set it as the site's virtualenv. Without a virtualenv use Python $plugin_version."
  fi
  [ -f "/var/www/$WSGI_MODULE.py" ] ||
    fail import "The WSGI file /var/www/$WSGI_MODULE.py does not exist. Create it; it must define \"application\"."
fi

if [ "$server" = gunicorn ]; then
  export PYTHONPATH="/opt/holdfast${PYTHONPATH:+:$PYTHONPATH}" HOLDFAST_SERVER=gunicorn
  exec ${front:+/bin/sh /opt/holdfast/front.sh "$front"} "$virtualenv/bin/python" "$virtualenv/bin/gunicorn" --bind "unix:$socket" --workers "$workers" \
    --worker-class sync --timeout "$timeout" --graceful-timeout "$timeout" --worker-tmp-dir /dev/shm \
    --forwarded-allow-ips '*' holdfast_wsgi:application 2>&1
fi

set -- --master --workers "$workers" --harakiri "$timeout" --worker-reload-mercy "$timeout" --http-socket "$socket" --buffer-size 65535 \
  --max-vars 4096 --lazy-apps --enable-threads --close-on-exec --close-on-exec2 \
  --listen 128 --disable-logging --ignore-sigpipe --ignore-write-errors --disable-write-exception --log-date \
  --hook-master-start 'unix_signal:15 gracefully_kill_them_all'
interpreter=/usr/bin/python$python_version
if [ -n "$virtualenv" ]; then
  set -- "$@" --virtualenv "$virtualenv"
  interpreter=$virtualenv/bin/python
fi
# Python believes that it runs in uWSGI's own program: what is started as sys.executable has to be Python.
set -- "$@" --py-sys-executable "$interpreter"
export PYTHONUNBUFFERED=1 HOLDFAST_SERVER=uwsgi
exec ${front:+/bin/sh /opt/holdfast/front.sh "$front"} /usr/bin/uwsgi --plugin python3 "$@" --need-app --single-interpreter --wsgi-file /opt/holdfast/holdfast_wsgi.py \
  --touch-exec "/var/www/$WSGI_MODULE.py /usr/bin/touch ${DOMAIN_SOCKET%/*}/reload" 2>&1
