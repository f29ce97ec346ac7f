"""Where everything is: start page, admin, REST API."""

from django.contrib import admin
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_safe

start_page = require_safe(lambda request: render(request, "start.html"))

urlpatterns: list[URLPattern | URLResolver] = [
    path("", start_page, name="start"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("apps.api.urls")),
]
handler400 = "apps.api.errors.bad_request"
handler404 = "apps.api.errors.page_not_found"
handler500 = "apps.api.errors.server_error"
