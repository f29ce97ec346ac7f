"""Where Django looks for admin pages."""

from apps.panel import accounts, containers, hosts, networks, records

__all__ = ["accounts", "containers", "hosts", "networks", "records"]
