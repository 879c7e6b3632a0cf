"""What well-known Python servers need to be told behind the gateway's Unix socket. Run by the sandbox's sitecustomize in the programs of
a site, so it keeps to what Python 3.6 knows, and imports what it needs when a server is imported.

A Unix socket has no address of the visitor, so these servers say "nobody", and http, and the path of the socket. Only the gateway reaches
the socket of a site and it sends X-Real-IP, X-Forwarded-Proto and X-Forwarded-Port anew, so its word is as good as a connection's own
ends. Connections over TCP, which a member's own programs may open to each other, are left alone.

Some of them close the connection with the rest of a request's body unread when an application answers early. The kernel then breaks it
off, and the answer is lost for the gateway, which is still sending. They read what is left first.

uvicorn, and gunicorn for the scheme, are told by FORWARDED_ALLOW_IPS, see launch.ts.
"""

import sys

# Seconds. The gateway closes as soon as it has the answer, so these only bound a connection that hangs.
LINGER_SILENCE, LINGER = 2, 30


def is_unix(sock):
    import socket

    return getattr(sock, "family", None) == socket.AF_UNIX


def gunicorn_wsgi(module):
    create = module.create

    def with_visitor(req, sock, *more):
        response, environ = create(req, sock, *more)
        address = environ.get("HTTP_X_REAL_IP")
        if address and is_unix(sock):
            environ["REMOTE_ADDR"] = address
            environ["SERVER_PORT"] = environ.get("HTTP_X_FORWARDED_PORT") or environ["SERVER_PORT"]
        return response, environ

    module.create = with_visitor


def gunicorn_util(module):
    close = module.close

    def close_after_reading(sock):
        if is_unix(sock):
            import socket
            import time

            try:
                sock.shutdown(socket.SHUT_WR)
                sock.settimeout(LINGER_SILENCE)
                end = time.monotonic() + LINGER
                while time.monotonic() < end and sock.recv(65536):
                    pass
            except (OSError, ValueError):
                pass  # It is closed already, or nothing comes any more.
        close(sock)

    module.close = close_after_reading


def hypercorn_stream(name, schemes):
    def patch(module):
        stream = getattr(module, name)
        handle = stream.handle

        async def handle_with_visitor(self, event):
            # Over TCP it has a client of its own.
            if type(event).__name__ == "Request" and self.client is None:
                headers = dict(event.headers)
                address = headers.get(b"x-real-ip")
                if address:
                    self.client = (address.decode("latin-1"), 0)
                    self.scheme = schemes.get(headers.get(b"x-forwarded-proto"), self.scheme)
            return await handle(self, event)

        stream.handle = handle_with_visitor

    return patch


def hypercorn_server(module):
    import asyncio

    class Drain(asyncio.Protocol):
        def __init__(self, before):
            self.before = before

        def connection_lost(self, error):
            self.before.connection_lost(error)

    close = module.TCPServer._close

    async def close_after_reading(self):
        transport = self.writer.transport
        if is_unix(self.writer.get_extra_info("socket")) and not transport.is_closing() and not self.reader.at_eof():
            try:
                self.writer.write_eof()
            except (OSError, RuntimeError):
                pass  # It has ended by itself.
            else:
                transport.set_protocol(Drain(transport.get_protocol()))
                self.reader.feed_eof()
                end = asyncio.get_running_loop().time() + LINGER
                while not transport.is_closing() and asyncio.get_running_loop().time() < end:
                    await asyncio.sleep(0.005)
        await close(self)

    module.TCPServer._close = close_after_reading


def daphne_server(module):
    start = module.Server.__init__

    def with_headers(self, application, endpoints=None, *more, **options):
        if any(str(endpoint).startswith("unix:") for endpoint in endpoints or ()):
            # Not the port: it asks for the visitor's, and X-Forwarded-Port is the gateway's.
            for name, header in (("proxy_forwarded_address_header", "X-Real-IP"), ("proxy_forwarded_proto_header", "X-Forwarded-Proto")):
                options[name] = options.get(name) or header
        start(self, application, endpoints, *more, **options)

    module.Server.__init__ = with_headers


def tornado_httpserver(module):
    handle = module.HTTPServer.handle_stream

    def handle_with_visitor(self, stream, address):
        if is_unix(stream.socket):
            self.xheaders = True
        handle(self, stream, address)

    module.HTTPServer.handle_stream = handle_with_visitor


def tornado_http1connection(module):
    import asyncio

    connection = module.HTTP1Connection
    finish, close = connection.finish, connection.close

    def finish_and_read_on(self):
        if self.is_client or self._read_finished or self.stream is None or not is_unix(self.stream.socket):
            return finish(self)
        # It closes what it has not read to the end. Told that it had, it reads the rest, up to its own limit, and gives it to nobody.
        self._read_finished = True
        try:
            finish(self)
        finally:
            self._read_finished = False

    async def linger(stream, socket):
        try:
            stream.socket.shutdown(socket.SHUT_WR)
            end = asyncio.get_running_loop().time() + LINGER
            while asyncio.get_running_loop().time() < end:
                await asyncio.wait_for(stream.read_bytes(65536, partial=True), LINGER_SILENCE)
        except (OSError, asyncio.TimeoutError, module.iostream.StreamClosedError):
            pass  # The gateway has closed, or says nothing more.
        finally:
            stream.close()

    def close_after_reading(self):
        stream = self.stream
        if self.is_client or stream is None or stream.closed() or self._read_finished or stream.reading() or not is_unix(stream.socket):
            return close(self)
        # A body that it refuses by its length: the answer is written, and the body is still to come.
        import socket

        self.stream = None
        close(self)
        self._lingering = asyncio.ensure_future(linger(stream, socket))

    connection.finish = finish_and_read_on
    connection.close = close_after_reading


def waitress_adjustments(module):
    start = module.Adjustments.__init__

    def with_proxy(self, **options):
        if options.get("unix_socket") and "trusted_proxy" not in options:
            options.update(
                trusted_proxy="*",
                trusted_proxy_count=1,
                trusted_proxy_headers={"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-host"},
            )
        start(self, **options)

    module.Adjustments.__init__ = with_proxy


PATCHES = {
    "gunicorn.http.wsgi": gunicorn_wsgi,
    "gunicorn.util": gunicorn_util,
    "hypercorn.protocol.http_stream": hypercorn_stream("HTTPStream", {b"https": "https", b"http": "http"}),
    "hypercorn.protocol.ws_stream": hypercorn_stream("WSStream", {b"https": "wss", b"http": "ws"}),
    "hypercorn.asyncio.tcp_server": hypercorn_server,
    "daphne.server": daphne_server,
    "tornado.http1connection": tornado_http1connection,
    "tornado.httpserver": tornado_httpserver,
    "waitress.adjustments": waitress_adjustments,
}


class Finder:
    """Finds nothing by itself: it lets the others find a server's module, and changes it once it is loaded."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        patch = PATCHES.get(name)
        if patch is None:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None and finder is not Finder else None
            if spec is not None:
                break
        else:
            return None
        load = getattr(spec.loader, "exec_module", None)
        if load is None:
            return spec

        def load_and_patch(module):
            load(module)
            try:
                patch(module)
            except Exception as error:
                # Another version of it than is known here: it runs as it is.
                sys.stderr.write("holdfast: %s is not told the visitor's address (%s: %s)\n" % (name, type(error).__name__, error))

        spec.loader.exec_module = load_and_patch
        return spec


sys.meta_path.insert(0, Finder)
