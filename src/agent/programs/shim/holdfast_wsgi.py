"""Loads a member's WSGI file and guards it: imports and requests that fail leave a short, readable entry in the error log.

Runs with the member's rights in uWSGI, or in gunicorn for a Python that uWSGI has no plugin for, so it keeps to what Python
3.6 knows. What is needed only when something fails is imported then: every import here is paid by every start.

Descriptors: 3 is the error log, 4 tells the agent which step of the start is done.
"""

import io
import os
import stat
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


# Read by output.ts, which then shows the traceback above.
SAME = "(as above, with the same traceback)"


def stands_last(body):
    """Whether the last entry of the error log has these lines: a start that is tried again, or the next worker of the same start."""
    try:
        with open("/var/log/%s.error.log" % os.environ.get("HOST_NAME", ""), "rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 65536))
            return body.encode("utf-8", "backslashreplace") in log.read().rpartition(b"Error running WSGI application")[2]
    except OSError:
        return False


def log_exception(kind, error, trace, once=False):
    """Writes one entry as PythonAnywhere does: time, what failed, then the exception. One write, so that it stays whole. With `once` the
    entry that stands there already is not written again."""
    import datetime
    import traceback

    report = trim(traceback.TracebackException(kind, error, trace))
    now = datetime.datetime.utcfromtimestamp(__import__("time").time())
    stamp = now.strftime("%Y-%m-%d %H:%M:%S,") + "%03d" % (now.microsecond // 1000)
    said = "".join(report.format_exception_only()).strip().split("\n")
    # A syntax error shows its line first; what others say after their first line are details.
    summary = said[-1 if issubclass(kind, SyntaxError) else 0]
    lines = ["%s: Error running WSGI application\n" % stamp, "%s: %s\n" % (stamp, summary)]
    for part in report.format():
        for line in part.rstrip("\n").split("\n"):
            lines.append("  %s\n" % line)
    if once and stands_last("".join(lines[2:])):
        lines = ["%s: %s %s\n" % (stamp, summary, SAME)]
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


# What the server offers beside WSGI; gunicorn has none of it.
disconnect = None
connection_of_request = None

# What a header is to the guard, by its name.
PLAIN, HOP_BY_HOP, LENGTH, TYPE, BUFFERING = range(5)
# Hop-by-hop headers speak of one connection only, and are the gateway's and the server's matter (RFC 9110, 7.6.1): one that a view copied
# from elsewhere makes the answer unreadable.
KINDS = dict.fromkeys(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    HOP_BY_HOP,
)
KINDS.update({"content-length": LENGTH, "content-type": TYPE, "x-accel-buffering": BUFFERING})
# RFC 9110, 5.6.2.
TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
# Names and statuses as this application writes them, once they were looked at; no more than this many are kept.
NAMES, STATUSES, KEPT = {}, {}, 512
# uWSGI counts the bytes of a header in 16 bits and cuts off what is more without a word; the gateway takes 64 KiB in all.
MOST_OF_A_HEAD = 60000
# str.isascii is there since Python 3.7.
is_ascii = getattr(str, "isascii", None) or (lambda text: all(sign < "\x80" for sign in text))
# A larger piece is not copied to be framed.
LARGE_PIECE = 1 << 20


def kind_of(name):
    if not isinstance(name, str):
        raise TypeError("the name of a header has to be a str, and %r is of the type %s" % (name, type(name).__name__))
    if not name or not TOKEN.issuperset(name):
        raise ValueError("%r cannot be the name of a header" % name)
    kind = KINDS.get(name.lower(), PLAIN)
    if len(NAMES) < KEPT:
        NAMES[name] = kind
    return kind


def takes_a_body(status):
    """Whether an answer with this status has a body; raises for what cannot be one."""
    if not isinstance(status, str):
        raise TypeError("a status has to be a str like '200 OK', and %r is of the type %s" % (status, type(status).__name__))
    code = status[:3]
    if not (len(code) == 3 and code.isdigit() and TOKEN.issuperset(code) and status[3:4] in ("", " ") and status.isprintable()):
        raise ValueError("%r cannot be a status: it has to be like '200 OK'" % status)
    if not is_latin(status):
        raise ValueError("the status %r has signs that cannot stand in the head of an answer (only those of ISO-8859-1 can)" % status)
    if not "200" <= code <= "599":
        raise ValueError("a WSGI application cannot answer with the status %r" % status)
    takes = code not in ("204", "304")
    if len(STATUSES) < KEPT:
        STATUSES[status] = takes
    return takes


def is_latin(text):
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def bad_value(name, value):
    if not isinstance(value, str):
        return TypeError("the value of the header %s has to be a str, and %r is of the type %s" % (name, value, type(value).__name__))
    if not is_latin(value):
        return ValueError(
            "the value of the header %s has signs that cannot stand in it, only those of ISO-8859-1 can; encode it, as in filename*=UTF-8''... : %r" % (name, value[:200])
        )
    return ValueError("the value of the header %s holds a line break or a NUL, which would end it: %r" % (name, value[:200]))


def drain(source):
    """Reads what the application has left of a request's body. A connection that is closed with unread bytes in it is reset, and the
    answer is lost on its way to the gateway, which is still sending."""
    try:
        while source.read(65536):
            pass
    except (OSError, ValueError):
        pass  # The visitor has gone, or the application has closed its input.


def checked(piece):
    """A piece of a body as bytes: servers drop anything else without a word."""
    if isinstance(piece, (bytearray, memoryview)):
        return bytes(piece)
    raise TypeError("a WSGI application has to answer with bytes, and this one gave %s" % type(piece).__name__)


def ends_the_worker(error):
    """Whether an exit was asked for by the server's own signal handler and not by the application."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return isinstance(error, SystemExit) and trace is not None and "/gunicorn/" in trace.tb_frame.f_code.co_filename


class Answer:
    """One answer: its head as the application wants it, and its body, whose iteration may fail. The server iterates over a generator,
    which costs a request less than a method of our own for each part; `close` is asked of this object.

    uWSGI gets the head when it is known how the body goes out: in one length, or in chunks (RFC 9112, 7.1). Without either the end of the
    connection is the end of the body, and half an answer could not be told from a whole one. gunicorn sees to that by itself."""

    __slots__ = ("server_start", "server_write", "status", "headers", "bodiless", "whole", "sent", "chunks", "body", "source")

    def __init__(self, server_start, method):
        self.server_start = server_start
        self.status = self.headers = self.server_write = self.body = self.source = None
        self.bodiless = method == "HEAD"
        # `whole`: its length is told, or it has none to tell.
        self.whole = self.sent = self.chunks = False

    def start(self, status, headers, details=None):
        if self.sent:
            # The head is on its way: what the application wanted to replace is what has to be told (PEP 3333).
            if details is not None:
                raise details[1].with_traceback(details[2])
            raise RuntimeError("start_response was called again after the head of the answer had been sent")
        takes = STATUSES.get(status) if type(status) is str else None
        whole = self.bodiless or not (takes_a_body(status) if takes is None else takes)
        if type(headers) is not list:
            headers = list(headers)
        streams = held = hop_by_hop = False
        size = 0
        for name, value in headers:
            kind = NAMES.get(name) if type(name) is str else None
            if kind is None:
                kind = kind_of(name)
            if type(value) is not str and not isinstance(value, str) or "\n" in value or "\r" in value or "\0" in value:
                raise bad_value(name, value)
            if not is_ascii(value) and not is_latin(value):
                raise bad_value(name, value)
            size += len(name) + len(value)
            if kind:
                if kind == HOP_BY_HOP:
                    hop_by_hop = True
                elif kind == LENGTH:
                    whole = True
                elif kind == BUFFERING:
                    held = True
                elif value[:17] == "text/event-stream":
                    streams = True
        if size > MOST_OF_A_HEAD:
            raise self.too_large(headers, size)
        if hop_by_hop:
            headers = [header for header in headers if KINDS.get(header[0].lower()) != HOP_BY_HOP]
        if streams and not held:
            # Else the gateway keeps events back until there are many (a slow visitor must not hold a worker).
            headers = headers + [("X-Accel-Buffering", "no")]
        self.status, self.headers, self.whole = status, headers, whole
        if disconnect is None:
            return self.server_start(status, headers) if details is None else self.server_start(status, headers, details)
        return self.write

    @staticmethod
    def too_large(headers, size):
        name, value = max(headers, key=lambda header: len(header[1]))
        return ValueError(
            "the headers of the answer have %d bytes, and at most %d can be sent; the largest is %s with %d" % (size, MOST_OF_A_HEAD, name, len(value))
        )

    def write(self, piece):
        """The callable of start_response: what it is given goes out at once (PEP 3333)."""
        if type(piece) is not bytes:
            piece = checked(piece)
        if piece:
            if not self.sent:
                self.send_head(None)
            self.server_write(b"%x\r\n%b\r\n" % (len(piece), piece) if self.chunks else piece)

    def send_head(self, length):
        """To uWSGI. `length`: of the whole body in bytes, None when it is not known."""
        headers = self.headers
        if headers is None:
            raise RuntimeError("the application gave a body before it called start_response")
        if not self.whole:
            if length is None:
                self.chunks = True
                headers = headers + [("Transfer-Encoding", "chunked")]
            else:
                headers = headers + [("Content-Length", str(length))]
        self.sent = True
        self.server_write = self.server_start(self.status, headers)

    def fail(self):
        """Tells the owner of an exception, and returns the page for the visitor. Where the head has gone out already the connection ends
        too early instead: that tells the visitor that the rest is missing."""
        details = sys.exc_info()
        log_exception(*details)
        if self.sent:
            disconnect()
            return []
        headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(FAILED_BODY)))]
        self.start("500 Internal Server Error", headers, details)
        if disconnect is not None:
            self.send_head(None)
        return [FAILED_BODY]

    def __iter__(self):
        direct = disconnect is None
        begun = False
        try:
            for piece in self.body:
                if type(piece) is not bytes:
                    piece = checked(piece)
                # The head goes out with the first piece, and up to then an error can still say so.
                if piece:
                    if in_child:
                        leave()
                    if not begun:
                        begun = True
                        if direct:
                            self.has_begun()
                        elif not self.sent:
                            self.send_head(None)
                    if self.bodiless and not direct:
                        # A stream may have no end, and whoever asked for the head alone waits for none.
                        return
                    if not self.chunks:
                        yield piece
                    elif len(piece) < LARGE_PIECE:
                        yield b"%x\r\n%b\r\n" % (len(piece), piece)
                    else:
                        yield b"%x\r\n" % len(piece)
                        yield piece
                        yield b"\r\n"
            if in_child:
                leave()
            if direct:
                self.has_begun()
            elif not self.sent:
                self.send_head(0)
            elif self.chunks:
                yield b"0\r\n\r\n"
        except GeneratorExit:
            raise
        except BaseException as error:
            if in_child:
                leave(error)
            if ends_the_worker(error):
                raise
            if not begun:
                yield from self.fail()
                return
            log_exception(*sys.exc_info())
            # A connection that ends too early tells the visitor that the rest is missing.
            if direct:
                raise
            disconnect()

    def has_begun(self):
        if self.headers is None:
            raise RuntimeError("the application gave a body before it called start_response")

    def send_list(self, body):
        """A list that is the whole body and cannot fail any more."""
        for piece in body:
            if type(piece) is not bytes:
                body = [piece if type(piece) is bytes else checked(piece) for piece in body]
                break
        if disconnect is None:
            self.has_begun()
        elif not self.sent:
            self.send_head(sum(map(len, body)))
            if self.bodiless:
                return []
        elif self.chunks:
            return [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in body if piece] + [b"0\r\n\r\n"]
        return body

    def send_file(self):
        """Files are sent by the server itself, until their end."""
        if disconnect is None:
            self.has_begun()
        elif not self.sent:
            self.whole = True
            self.send_head(None)

    def close(self):
        try:
            close = getattr(self.body, "close", None)
            if close is not None:
                close()
        finally:
            if self.source is not None:
                drain(self.source)
            forget_connection()


class Pieces:
    """What a file gives, piece by piece, from where it stands."""

    __slots__ = ("file", "size")

    def __init__(self, file, size):
        self.file, self.size = file, size

    def __iter__(self):
        read, size = self.file.read, self.size
        piece = read(size)
        while piece:
            yield piece
            piece = read(size)

    def close(self):
        close = getattr(self.file, "close", None)
        if close is not None:
            close()


# The files of the system, of which reading gives what stands in them; a GzipFile, say, has a descriptor and gives something else.
FILES = (io.BufferedReader, io.BufferedRandom, io.FileIO)
# What the server offers as wsgi.file_wrapper, and the file of the request at work that it was given.
server_wrapper = sent_by_server = None


def wrap_file(file, size=65536):
    """wsgi.file_wrapper. uWSGI sends a file from its first byte to its last, whatever it is and wherever it stands, and without a word when
    it cannot: only what is just that is left to it."""
    global sent_by_server
    inner = getattr(file, "file", file) if type(file).__name__ == "_TemporaryFileWrapper" else file
    if server_wrapper is not None and type(inner) in FILES:
        try:
            if stat.S_ISREG(os.fstat(inner.fileno()).st_mode) and inner.tell() == 0:
                sent_by_server = file
                return server_wrapper(file, size)
        except (OSError, ValueError):
            pass  # Closed, say: reading it tells.
    return Pieces(file, size)


def forget_connection():
    global open_connection
    open_connection = -1


def close_in_child():
    """A process that a view leaves behind must not keep the visitor's connection open: the visitor would wait for its end."""
    if open_connection >= 0:
        try:
            os.close(open_connection)
        except OSError:
            pass
        forget_connection()


def after_fork():
    global in_child
    in_child = True
    close_in_child()


def leave(error=None):
    """Ends a process that a view forked, where it comes back from the view: it would go on as a second worker that the server does not
    know, and answer other visitors. As a program ends, with its exit code, and without what is to happen at the end of the worker."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        if not isinstance(error.code, (int, type(None))):
            print(error.code, file=sys.stderr)
    elif error is not None:
        log_exception(type(error), error, error.__traceback__)
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # Nobody reads it any more.
    finally:
        os._exit(code & 255)


# Whether this is a process that a view forked.
in_child = False
# The connection of the request at work, or -1.
open_connection = -1


def guard(application, host_name):
    def guarded(environ, start_response):
        global open_connection, server_wrapper, sent_by_server
        environ["wsgi.errors"] = sys.stderr
        # Only the gateway reaches this socket, and it sends these headers anew, so they are as good as a connection's own ends.
        address = environ.get("HTTP_X_REAL_IP")
        if address:
            environ["REMOTE_ADDR"] = address
            environ["SERVER_PORT"] = environ.get("HTTP_X_FORWARDED_PORT") or environ.get("SERVER_PORT")
            environ["SERVER_NAME"] = host_name
        source = environ["wsgi.input"] if environ.get("CONTENT_LENGTH") not in (None, "", "0") else None
        if connection_of_request is not None:
            open_connection = connection_of_request()
        answer = Answer(start_response, environ.get("REQUEST_METHOD"))
        if disconnect is not None:
            server_wrapper, sent_by_server = environ.get("wsgi.file_wrapper"), None
            environ["wsgi.file_wrapper"] = wrap_file
        try:
            body = application(environ, answer.start)
            if in_child:
                leave()
            if type(body) in (list, tuple):
                body = answer.send_list(body)
            elif isinstance(body, (str, bytes)):
                body = answer.send_list([body])
            elif body is None:
                raise TypeError("the application returned None instead of a body")
            elif not answer.chunks and (hasattr(body, "filelike") if disconnect is None else body is sent_by_server):
                # The server knows files by their identity.
                answer.send_file()
            else:
                answer.body, answer.source = Pieces(body, 65536) if type(body) in FILES else body, source
                return answer
        except BaseException as error:
            if in_child:
                leave(error)
            if ends_the_worker(error):
                raise
            body = answer.fail()
        if source is not None and body is not source:
            drain(source)
        forget_connection()
        return body

    return guarded


def modified(path):
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def ask_for_reload(directory):
    with open(os.path.join(directory, "reload"), "w"):
        pass


def take_turn(directory):
    """Whether this worker is the first to import: the others wait until it is done, so that it has the processors to itself and a site
    with many workers is not slower to wake; then they import all at once. The lock goes with the process, however it ends."""
    import fcntl

    turn = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return turn, True
    except OSError:
        fcntl.flock(turn, fcntl.LOCK_SH)
        return turn, False


def watch(path, directory, loaded, rounds):
    """Looks at the WSGI file's time once a second. uWSGI has --touch-exec, which compares whole seconds and begins some time after the
    code was read: a file saved just after that is found in the first rounds. gunicorn has nothing of the kind."""
    import threading
    import time

    def run():
        left = rounds
        while left is None or left > 0:
            time.sleep(1)
            if left is not None:
                left -= 1
            now = modified(path)
            if now is not None and now != loaded:
                try:
                    ask_for_reload(directory)
                except OSError:
                    continue
                return

    threading.Thread(target=run, name="holdfast-touch", daemon=True).start()


# A worker that cannot load its application ends with the code that makes its server end, too; others would be started without end.
FAILED_APPLICATION = {"uwsgi": 22, "gunicorn": 3}
LOOK_TWICE = 3


def start():
    global disconnect, connection_of_request
    server = os.environ.pop("HOLDFAST_SERVER", "uwsgi")
    source = os.environ.pop("HOLDFAST_SOURCE_DIRECTORY", "")
    module_name = os.environ["WSGI_MODULE"]
    os.set_inheritable(ERROR_LOG, False)
    os.set_inheritable(STEPS, False)
    sys.stderr = sys.__stderr__ = os.fdopen(ERROR_LOG, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    tell("interpreter")
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=after_fork)
    if server == "uwsgi":
        import uwsgi

        disconnect, connection_of_request = uwsgi.disconnect, uwsgi.connection_fd
        # What --py-sys-executable leaves as it was; `venv` asks for it.
        sys._base_executable = "/usr/bin/python%d.%d" % sys.version_info[:2]
    sys.path[:] = ["/var/www"] + [path for path in sys.path if path not in ("", ".", "/var/www", OWN_DIRECTORY)]
    if source and source not in sys.path:
        sys.path.append(source)
    path, directory = "/var/www/%s.py" % module_name, os.path.dirname(os.environ["DOMAIN_SOCKET"])
    turn, first = take_turn(directory)
    loaded = modified(path)
    try:
        application = load(module_name)
    except BaseException:
        kind, error, trace = sys.exc_info()
        place = where(error, trace)
        summary = log_exception(kind, error, trace, once=True)
        tell("failed\timport\t%s%s" % (summary.replace("\n", " ").replace("\t", " "), " (%s)" % place if place else ""))
        # Not sys.exit: the server would print a second, longer traceback of its own.
        os._exit(FAILED_APPLICATION[server])
    application = guard(application, os.environ.get("HOST_NAME") or "localhost")
    tell("imported")
    os.close(STEPS)
    os.close(turn)
    if first:
        watch(path, directory, loaded, LOOK_TWICE if server == "uwsgi" else None)
    return application


application = start()
