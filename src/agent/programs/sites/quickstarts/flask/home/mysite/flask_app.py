# The starting point of a Flask application. Edit it, then press Reload on the Web page.
from flask import Flask, render_template

app = Flask(__name__)


@app.route("/")
def welcome():
    return render_template("welcome.html")
