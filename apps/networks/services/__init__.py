"""Changes to networks, endpoints and containers: every rule and every side effect on the record.

Each function takes the host as `hosts.services.advance` returned it: locked, with the revision of this change. It
runs inside the caller's transaction; `apps.delivery.changes.carry_out` is the one that calls.
"""
