"""Objects as the REST API shows them."""

from datetime import UTC, datetime, timedelta
from typing import Any

NETWORK_ID = "06a62f1c73c4e3107c0f555b7a5f163309827bfbbf999840166065a8f35455a8"
CONTAINER_ID = "467a7863c3f0277ef8e661b38427737f28099b61fa55622d6c30fb288d88c551"
OPERATION_ID = "b0a4a4ad-7c0c-4c5c-9a3f-0f6a3f0f2d11"


def make_network(name: str = "isolated_nw", **changes: Any) -> dict[str, Any]:
    return {"id": NETWORK_ID, "name": name, "driver": "bridge", "scope": "local", "host": "node1", **changes}


def make_container(name: str = "container3", **changes: Any) -> dict[str, Any]:
    endpoint = {
        "network": {"id": NETWORK_ID, "name": "isolated_nw"},
        "ipv4_address": "172.25.3.3",
        "ipv6_address": None,
    }
    return {
        "id": CONTAINER_ID,
        "name": name,
        "host": "node1",
        "state": "running",
        "exit_code": None,
        "error": "",
        "command": ["sleep", "1000"],
        "started": ago(minutes=5),
        "finished": None,
        "host_network": False,
        "ports": [],
        "endpoints": [endpoint],
        **changes,
    }


def make_operation(subject_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": OPERATION_ID,
        "at": ago(hours=2),
        "actor": "admin",
        "action": "network.create",
        "subject": "network",
        "subject_id": subject_id,
        "subject_name": "isolated_nw",
        "host": "node1",
        "outcome": "done",
        "message": "",
        **changes,
    }


def page(*results: Any, count: int | None = None) -> dict[str, Any]:
    return {
        "count": len(results) if count is None else count,
        "next": None,
        "previous": None,
        "results": results,
    }


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat().replace("+00:00", "Z")
