"""Asking a host something that changes nothing, and waiting for the one answer."""

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from apps.common.errors import Conflict, NotFound, Unavailable
from apps.delivery.answers import await_answer
from apps.delivery.sender import publish
from apps.hosts.models import Host
from workers.contract.envelope import Refused, seal, unseal
from workers.contract.questions import Answer, Question


def ask(host: Host, kind: str, arguments: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """The host's answer to a `Question`; Unavailable when there is none within `timeout` seconds."""
    question = Question(id=uuid.uuid4().hex, kind=kind, arguments=dict(arguments), at=time.time())
    envelope = seal(question, host=host.name, key=host.key, direction="to-host")
    text = None
    if publish(host, "workers.ask", envelope, expires=timeout):
        text = await_answer(f"{host.name}:{question.id}", timeout)
    if text is None:
        raise Unavailable("host_silent", f"Host {host.name} does not answer; is its worker running?", "host")
    answer = _open(host, text)
    if answer is None or answer.id != question.id:
        raise Unavailable("host_silent", f"Something else answered in place of host {host.name}.", "host")
    if answer.ok:
        return answer.result
    if answer.code == 404:
        raise NotFound("host_refused", answer.error)
    if answer.code == 409:
        raise Conflict("host_refused", answer.error)
    raise Conflict("host_failed", answer.error)


def _open(host: Host, text: str) -> Answer | None:
    try:
        return unseal(json.loads(text), Answer, host=host.name, key=host.key, direction="to-server")
    except (Refused, ValueError):
        return None
