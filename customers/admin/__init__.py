"""The admin's pages about people."""

from customers.admin import customer, customer_import, segment  # noqa: F401
