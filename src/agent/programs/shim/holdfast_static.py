"""Static mappings and headers for servers that have none of their own (gunicorn). Same rules as uWSGI's options in launch.sh."""

import json
import mimetypes
import os
from email.utils import formatdate
from urllib.parse import quote


def matches(url, path):
    return url == "" or path == url or path.startswith(url + "/")


def find(mappings, path):
    """The file to send, a URL to redirect to (a string that starts with "/" in the second place), or nothing."""
    for url, target in mappings:
        if os.path.isfile(target) and path.startswith(url):
            return target, None
        if not matches(url, path) or not os.path.isdir(target):
            continue
        if url and path == url:
            return None, url + "/"
        root = os.path.realpath(target)
        file = os.path.realpath(os.path.join(root, path[len(url) :].lstrip("/")))
        if file != root and not file.startswith(root + "/"):
            continue
        if os.path.isdir(file):
            file = os.path.join(file, "index.html")
        if os.path.isfile(file):
            return file, None
    return None, None


def pieces(path):
    with open(path, "rb") as file:
        while True:
            piece = file.read(65536)
            if not piece:
                return
            yield piece


def serve(application, configuration):
    settings = json.loads(configuration)
    mappings = [(url.rstrip("/"), target.rstrip("/") or "/") for url, target in settings["mappings"]]
    headers = [(url.rstrip("/"), name, value) for url, name, value in settings["headers"]]

    def with_static(environ, start_response):
        path = environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "surrogateescape")
        added = [(name, value) for url, name, value in headers if matches(url, path)]

        def start(status, response_headers, details=None):
            return start_response(status, list(response_headers) + added, details)

        if "/../" in path + "/" or "\0" in path:
            start("400 Bad Request", [("Content-Type", "text/plain"), ("Content-Length", "12")])
            return [b"Bad Request\n"]
        if environ.get("REQUEST_METHOD") in ("GET", "HEAD"):
            file, redirect = find(mappings, path)
            if redirect is not None:
                start("301 Moved Permanently", [("Location", quote(redirect)), ("Content-Length", "0")])
                return []
            if file is not None:
                details = os.stat(file)
                modified = formatdate(details.st_mtime, usegmt=True)
                if environ.get("HTTP_IF_MODIFIED_SINCE") == modified:
                    start("304 Not Modified", [("Last-Modified", modified)])
                    return []
                kind = mimetypes.guess_type(file)[0] or "application/octet-stream"
                start("200 OK", [("Content-Type", kind), ("Content-Length", str(details.st_size)), ("Last-Modified", modified)])
                return [] if environ["REQUEST_METHOD"] == "HEAD" else pieces(file)
        return application(environ, start)

    return with_static
