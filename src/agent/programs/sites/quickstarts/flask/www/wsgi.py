# This file tells the web server what to run for __HOLDFAST_DOMAIN__.
# It must define `application`. Saving it reloads the site.
import sys

project_home = "__HOLDFAST_PROJECT__"
if project_home not in sys.path:
    sys.path.insert(0, project_home)

from flask_app import app as application  # noqa: E402
