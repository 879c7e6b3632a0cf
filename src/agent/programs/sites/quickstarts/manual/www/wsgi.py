# This file tells the web server what to run for __HOLDFAST_DOMAIN__.
# It must define `application`, a WSGI application. Saving it reloads the site.

# +++++++++++ GENERAL EXAMPLE +++++++++++
# The live part: a page that says hello, without any framework. Replace it with one of the parts below.


def application(environ, start_response):
    status = "200 OK"
    content = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello, World!</title>
<body style="font: 1.1rem/1.6 system-ui, sans-serif; max-width: 38rem; margin: 15vh auto; padding: 0 1.25rem; color-scheme: light dark">
<h1>Hello, World!</h1>
<p>This page comes from <code>__HOLDFAST_WSGI_FILE__</code>. Open it on the Files page to make this site your own.</p>
"""
    content = content.encode("utf-8")
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(content)))]
    start_response(status, headers)
    return [content]


# +++++++++++ FLASK +++++++++++
# import sys
#
# path = "/home/__HOLDFAST_NAME__/mysite"
# if path not in sys.path:
#     sys.path.insert(0, path)
#
# from flask_app import app as application


# +++++++++++ DJANGO +++++++++++
# import os
# import sys
#
# path = "/home/__HOLDFAST_NAME__/mysite"
# if path not in sys.path:
#     sys.path.insert(0, path)
#
# os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
#
# from django.core.wsgi import get_wsgi_application
# application = get_wsgi_application()
