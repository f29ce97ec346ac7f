"""Where Django looks for admin pages."""

from django.contrib.admin import site

from apps.panel import accounts, containers, hosts, networks, records

__all__ = ["accounts", "containers", "hosts", "networks", "records"]

# Django's own names things by their models, which is not how the menu and the dashboard call them.
site.index_template = "panel/index.html"
