"""Loads a member's WSGI file and guards it: imports and requests that fail leave a short, readable entry in the error log.

Runs with the member's rights in uWSGI, or in gunicorn for a Python that uWSGI has no plugin for, so it keeps to what Python
3.6 knows. What is needed only when something fails is imported then: every import here is paid by every start.

Descriptors: 3 is the error log, 4 tells the agent which step of the start is done.
"""

import os
import sys
import types

ERROR_LOG, STEPS = 3, 4
OWN_DIRECTORY = os.path.dirname(os.path.abspath(__file__))
MEMBER_DIRECTORIES = ("/home/", "/var/www/", "/tmp/")


def tell(line):
    try:
        os.write(STEPS, (line + "\n").encode("utf-8", "replace"))
    except OSError:
        pass  # The agent has gone: whoever comes next decides by the record, not by this line.


def is_member_line(filename):
    return filename.startswith(MEMBER_DIRECTORIES) and "/site-packages/" not in filename and "/lib/python" not in filename


def trim(report):
    """Keeps the member's own lines and the one that failed, in a traceback.TracebackException and all it refers to."""
    seen = []

    def visit(one):
        if one is None or any(one is other for other in seen):
            return
        seen.append(one)
        kept = [
            frame
            for frame in one.stack
            if not frame.filename.startswith((OWN_DIRECTORY, "<frozen importlib")) and "importlib" not in frame.filename
        ]
        own = [frame for frame in kept if is_member_line(frame.filename)]
        if own and kept[-1] is not own[-1]:
            own.append(kept[-1])
        one.stack[:] = own or kept[-3:]
        visit(one.__cause__)
        visit(one.__context__)
        for inner in getattr(one, "exceptions", None) or ():
            visit(inner)

    visit(report)
    return report


def log_exception(kind, error, trace):
    """Writes one entry as PythonAnywhere does: time, what failed, then the exception. One write, so that it stays whole."""
    import datetime
    import traceback

    report = trim(traceback.TracebackException(kind, error, trace))
    now = datetime.datetime.utcfromtimestamp(__import__("time").time())
    stamp = now.strftime("%Y-%m-%d %H:%M:%S,") + "%03d" % (now.microsecond // 1000)
    summary = "".join(report.format_exception_only()).strip().split("\n")[-1]
    lines = ["%s: Error running WSGI application\n" % stamp, "%s: %s\n" % (stamp, summary)]
    for part in report.format():
        for line in part.rstrip("\n").split("\n"):
            lines.append("  %s\n" % line)
    try:
        sys.stderr.write("".join(lines))
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # A full disk must not turn one failed request into a dead worker.
    return summary


def where(error, trace):
    """The member's own line an exception comes from, as "file, line n", or "" when there is none."""
    import traceback

    if isinstance(error, SyntaxError) and error.filename:
        return "%s, line %s" % (error.filename, error.lineno)
    own = [frame for frame in traceback.extract_tb(trace) if is_member_line(frame.filename)]
    return "%s, line %s" % (own[-1].filename, own[-1].lineno) if own else ""


def load(module_name):
    """Runs /var/www/<module>.py and returns its `application`."""
    path = "/var/www/%s.py" % module_name
    # Compiled from its source each time: an edit within the second of the last one must not be hidden by a cached .pyc.
    with open(path, "rb") as file:
        source = file.read()
    module = types.ModuleType(module_name)
    module.__file__ = path
    sys.modules[module_name] = module
    exec(compile(source, path, "exec"), module.__dict__)
    try:
        application = module.application
    except AttributeError:
        raise ImportError('%s does not define "application"' % path) from None
    if not callable(application):
        raise TypeError('"application" in %s is not callable, so it is not a WSGI application' % path)
    return application


FAILED_BODY = b"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Something went wrong</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1.5rem;color:#1d2430;background:#fbfbf9}
h1{font-size:1.5rem;margin:0 0 .5rem}p{margin:.5rem 0;color:#4b5563}
@media(prefers-color-scheme:dark){body{color:#e6e8ec;background:#14171c}p{color:#9aa3b2}}</style></head>
<body><h1>Something went wrong</h1><p>This site could not answer the request. Please try again in a while.</p>
<p>If this is your site: the error log names the line.</p></body></html>
"""


# uWSGI's way to break off a response; other servers do it when they see the exception.
disconnect = None


class Guarded:
    """The body of a response whose iteration may fail. The server iterates over a generator, which costs a request less than
    a method of our own for each part; `close` is asked of this object."""

    __slots__ = ("body",)

    def __init__(self, body):
        self.body = body

    def __iter__(self):
        try:
            yield from self.body
        except GeneratorExit:
            raise
        except BaseException:
            log_exception(*sys.exc_info())
            # A connection that ends too early tells the visitor that the rest is missing.
            if disconnect is None:
                raise
            disconnect()

    def close(self):
        close = getattr(self.body, "close", None)
        if close is not None:
            close()


def guard(application):
    def guarded(environ, start_response):
        environ["wsgi.errors"] = sys.stderr
        try:
            body = application(environ, start_response)
        except Exception:
            details = sys.exc_info()
            log_exception(*details)
            headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(FAILED_BODY)))]
            # uWSGI takes the third argument for an error of its own (uwsgi_spit leaves the exception set).
            more = (details,) if disconnect is None else ()
            start_response("500 Internal Server Error", headers, *more)
            return [FAILED_BODY]
        # Lists cannot fail any more; files are sent by the server itself, which knows them by their identity.
        if type(body) in (list, tuple) or hasattr(body, "read") or hasattr(body, "filelike"):
            return body
        return Guarded(body)

    return guarded


def modified(path):
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def ask_for_reload(directory):
    with open(os.path.join(directory, "reload"), "w"):
        pass


def look_once_more(path, directory, loaded):
    """uWSGI's --touch-exec compares whole seconds and begins some time after the code was read, so a file saved just after that
    would go unnoticed: a process that lives as long as that looks at the finer time once, then ends."""
    import time

    # Twice, so that it belongs to the sandbox's init and the server need not wait for it.
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        return
    try:
        if os.fork() == 0:
            time.sleep(2.5)
            now = modified(path)
            if now is not None and now != loaded:
                ask_for_reload(directory)
    finally:
        os._exit(0)


def watch_for_touch(path, directory, loaded):
    """gunicorn has no --touch-exec: a thread of its master looks once a second."""
    import threading
    import time

    def run():
        while True:
            time.sleep(1)
            now = modified(path)
            if now is not None and now != loaded:
                try:
                    ask_for_reload(directory)
                except OSError:
                    continue
                return

    threading.Thread(target=run, name="holdfast-touch", daemon=True).start()


def start():
    global disconnect
    server = os.environ.pop("HOLDFAST_SERVER", "uwsgi")
    source = os.environ.pop("HOLDFAST_SOURCE_DIRECTORY", "")
    module_name = os.environ["WSGI_MODULE"]
    os.set_inheritable(ERROR_LOG, False)
    os.set_inheritable(STEPS, False)
    sys.stderr = sys.__stderr__ = os.fdopen(ERROR_LOG, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    tell("interpreter")
    if server == "uwsgi":
        import uwsgi

        disconnect = uwsgi.disconnect
    sys.path[:] = ["/var/www"] + [path for path in sys.path if path not in ("", ".", "/var/www", OWN_DIRECTORY)]
    if source and source not in sys.path:
        sys.path.append(source)
    path, directory = "/var/www/%s.py" % module_name, os.path.dirname(os.environ["DOMAIN_SOCKET"])
    loaded = modified(path)
    try:
        application = load(module_name)
    except BaseException:
        kind, error, trace = sys.exc_info()
        place = where(error, trace)
        summary = log_exception(kind, error, trace)
        tell("failed\timport\t%s%s" % (summary.replace("\n", " ").replace("\t", " "), " (%s)" % place if place else ""))
        # Not sys.exit: the server would print a second, longer traceback of its own.
        os._exit(65)
    application = guard(application)
    if server == "gunicorn":
        watch_for_touch(path, directory, loaded)
    tell("imported")
    os.close(STEPS)
    if server == "uwsgi":
        look_once_more(path, directory, loaded)
    return application


application = start()
