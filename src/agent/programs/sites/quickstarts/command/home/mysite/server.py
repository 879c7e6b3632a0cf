# A server that is started by the site's command: python3 __HOLDFAST_PROJECT__/server.py
# Any program will do, in any language, that listens on the Unix socket named by the environment variable DOMAIN_SOCKET.
import os
import socketserver
from http.server import BaseHTTPRequestHandler


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        content = b"Hello from a command. Edit __HOLDFAST_PROJECT__/server.py, then press Reload.\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def address_string(self):
        return "gateway"


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


Server(os.environ["DOMAIN_SOCKET"], Handler).serve_forever()
