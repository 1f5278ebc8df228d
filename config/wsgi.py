"""WSGI entry point, served by granian."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.wsgi import get_wsgi_application

from config.services import hold_services

hold_services()
application = get_wsgi_application()
