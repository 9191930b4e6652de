"""The customers app."""

from django.apps import AppConfig


class CustomersConfig(AppConfig):
    """Who we may talk to."""

    name = "customers"
    verbose_name = "Customers"
