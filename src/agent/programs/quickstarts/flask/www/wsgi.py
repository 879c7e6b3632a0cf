# This file tells the web server what to run for __HOLDFAST_DOMAIN__.
# It must define `application`. Saving it reloads the site.
import sys

project_home = "/home/__HOLDFAST_NAME__/mysite"
if project_home not in sys.path:
    sys.path.insert(0, project_home)

from flask_app import app as application  # noqa: E402
