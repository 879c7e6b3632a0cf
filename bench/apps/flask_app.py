"""The Flask app that both sides of the benchmark serve, byte for byte the same."""
import uuid

from flask import Flask

app = Flask(__name__)
BOOT = uuid.uuid4().hex


@app.route("/")
def hello():
    return "Hello from Flask\n"


@app.route("/boot")
def boot():
    """Changes with every start of the program: tells when a reload has happened."""
    return BOOT
