"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Somebody waits for a request: a broker that takes connections and never answers must not hold it.
os.environ.setdefault("BROKER_TIMEOUT_SECONDS", "1")

application = get_wsgi_application()
