"""Addresses for customers."""

from django.urls import re_path

from customers import views

app_name = "customers"
urlpatterns = [
    re_path(r"^u/(?P<signed>[^/]{1,300})/?$", views.preferences, name="preferences"),
]
