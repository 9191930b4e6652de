"""The campaigns app in the admin."""

from campaigns.admin import campaign, delivery, image, series, staff, template  # noqa: F401
