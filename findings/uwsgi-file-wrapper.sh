#!/bin/bash
# uWSGI's wsgi.file_wrapper sends a file from its first byte, and nothing at all from a pipe.
#
# Seen: uWSGI 2.0.21 (Debian 12, uwsgi-core 2.0.21-5.1), CPython 3.11, HTTP socket, one worker. PEP 3333, "Optional Platform-Specific File
# Handling": transmission begins at the current position of the file, and a server that cannot send an object in a quick way reads it.
#   a temporary file of ten digits, positioned at the sixth      expected "6789",  seen "0123456789"
#   the standard output of a subprocess                          expected its text, seen an answer "200 OK" without a body
#   io.BytesIO, which has no descriptor                          expected and seen its bytes
# So a file of which a signature was read is sent with it, and a dump or an archive that is streamed from a program arrives empty.
# Exits 0 while it behaves like that, 1 when it does not any more, 2 when it cannot be tried here.
set -u
version=2.0.21-5.1
for tool in apt-get dpkg curl python3; do
  command -v "$tool" >/dev/null || { echo "needs $tool" >&2; exit 2; }
done
work=$(mktemp -d /var/tmp/finding-uwsgi.XXXXXX)
server=
clean() {
  [ -n "$server" ] && kill -INT "$server" 2>/dev/null && wait "$server"
  rm -rf "$work"
}
trap clean EXIT
cd "$work" || exit 2
for package in uwsgi-core uwsgi-plugin-python3; do
  apt-get download "$package=$version" >/dev/null 2>&1 || { echo "cannot download $package $version" >&2; exit 2; }
done
for file in *.deb; do dpkg -x "$file" root || exit 2; done
uwsgi=$work/root/usr/bin/uwsgi-core
plugins=$work/root/usr/lib/uwsgi/plugins
"$uwsgi" --version || { echo "its libraries are not installed (apt-get install uwsgi-core)" >&2; exit 2; }

cat > application.py <<'PYTHON'
import io, subprocess, tempfile


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    wrapper = environ["wsgi.file_wrapper"]
    if environ["PATH_INFO"] == "/rest":
        digits = tempfile.TemporaryFile()
        digits.write(b"0123456789")
        digits.flush()
        digits.seek(6)
        return wrapper(digits)
    if environ["PATH_INFO"] == "/pipe":
        return wrapper(subprocess.Popen(["echo", "text"], stdout=subprocess.PIPE).stdout)
    return wrapper(io.BytesIO(b"in memory"))
PYTHON
plugin=$(ls "$plugins" | grep -m1 '^python3.*_plugin.so$' | sed 's/_plugin.so$//')
"$uwsgi" --plugins-dir "$plugins" --plugin "$plugin" --http-socket 127.0.0.1:18731 --wsgi-file application.py --disable-logging >log 2>&1 &
server=$!
for _ in $(seq 50); do
  curl --silent --fail --max-time 5 http://127.0.0.1:18731/memory >/dev/null && break
  sleep 0.2
done
ask() { curl --silent --max-time 10 "http://127.0.0.1:18731/$1"; }
rest=$(ask rest) pipe=$(ask pipe) memory=$(ask memory)
printf 'positioned file: %s\npipe: %s\nin memory: %s\n' "$rest" "$pipe" "$memory"
[ "$memory" = "in memory" ] || { echo "the server does not answer as expected at all" >&2; cat log >&2; exit 2; }
[ "$rest" = 0123456789 ] && [ -z "$pipe" ] && exit 0
exit 1
