"""Where everything is: dashboard, admin, REST API."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from apps.health.views import MetricsView, show_alive, show_ready
from netadmin.dashboard import PLACES, show_dashboard

urlpatterns: list[URLPattern | URLResolver] = [
    path("", show_dashboard, name="start"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("apps.api.urls")),
    path("healthz", show_alive, name="healthz"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("readyz", show_ready, name="readyz"),
    re_path(f"^({'|'.join(PLACES)})(/.*)?$", show_dashboard),
]
handler400 = "apps.api.errors.bad_request"
handler404 = "apps.api.errors.page_not_found"
handler500 = "apps.api.errors.server_error"
