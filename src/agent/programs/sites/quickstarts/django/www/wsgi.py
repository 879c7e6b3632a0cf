# This file tells the web server what to run for __HOLDFAST_DOMAIN__.
# It must define `application`. Saving it reloads the site.
import os
import sys

project_home = "__HOLDFAST_PROJECT__"
if project_home not in sys.path:
    sys.path.insert(0, project_home)

os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()
