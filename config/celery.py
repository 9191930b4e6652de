"""The Celery application. Messages carry ids only: rows in the database are the truth (D-1)."""

import os

from celery import Celery
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("handbill")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = (Queue("default"), Queue("sending"))
app.autodiscover_tasks()
