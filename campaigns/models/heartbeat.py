"""Signs of life."""

from django.db import models


class Heartbeat(models.Model):
    """When a part of Handbill last did its regular work, by the database's clock."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
