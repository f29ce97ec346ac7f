"""Where Django looks for admin pages."""

from apps.panel import accounts, containers, networks, records

__all__ = ["accounts", "containers", "networks", "records"]
