"""Every address of Handbill."""

from django.contrib import admin
from django.urls import include, path

from campaigns.views import captured, health
from config.start import home, start

urlpatterns = [
    path("", start, name="start"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("captured/", captured.captured_list, name="captured-messages"),
    path("captured/<slug:name>/", captured.captured_detail, name="captured-message"),
    path("admin/", home, name="home"),
    path("admin/", admin.site.urls),
    path("", include("campaigns.urls")),
    path("", include("customers.urls")),
    path("", include("qrcodes.urls")),
]
