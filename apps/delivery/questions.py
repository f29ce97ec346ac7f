"""Asking a host something that changes nothing, and waiting for the one answer."""

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from apps.common.errors import Conflict, Invalid, NotFound, Unavailable
from apps.delivery.answers import await_answer
from apps.delivery.sender import publish
from apps.hosts.models import Host
from workers.contract.envelope import Refused, seal, unseal
from workers.contract.questions import Answer, Question
from workers.tracing import current

SHELL = (125, 126, 127)
"""Codes of answers to who wants a command run: as a shell has it, not begun, not executable, not found."""
EXIT = "exit_code"
"""Under which such a code is among the details of the refusal."""


def ask(host: Host, kind: str, arguments: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """The host's answer to a `Question`; Unavailable when there is none within `timeout` seconds."""
    question = pose(host, kind, arguments, timeout)
    return read(host, question, await_answer(question, timeout))


def pose(host: Host, kind: str, arguments: Mapping[str, Any], timeout: float) -> str:
    """Send the question, and name the one under which its answer will come. Unavailable without a broker."""
    question = Question(
        id=uuid.uuid4().hex, kind=kind, arguments=dict(arguments), at=time.time(), request=current()
    )
    envelope = seal(question, host=host.name, key=host.key, direction="to-host")
    if not publish(host, "workers.ask", envelope, expires=timeout):
        raise _silent(host)
    return f"{host.name}:{question.id}"


def read(host: Host, question: str, text: str | None) -> dict[str, Any]:
    """What came as the answer to it; None: nothing did. Raises what the host refused."""
    if text is None:
        raise _silent(host)
    answer = _open(host, text)
    if answer is None or f"{host.name}:{answer.id}" != question:
        raise Unavailable("host_silent", f"Something else answered in place of host {host.name}.", "host")
    if answer.ok:
        return answer.result
    if answer.code == 400:
        raise Invalid("host_refused", answer.error)
    if answer.code == 404:
        raise NotFound("host_refused", answer.error)
    if answer.code == 409:
        raise Conflict("host_refused", answer.error)
    raise Conflict(
        "host_failed", answer.error, details={EXIT: str(answer.code)} if answer.code in SHELL else {}
    )


def _silent(host: Host) -> Unavailable:
    return Unavailable("host_silent", f"Host {host.name} does not answer; is its worker running?", "host")


def _open(host: Host, text: str) -> Answer | None:
    try:
        return unseal(json.loads(text), Answer, host=host.name, key=host.key, direction="to-server")
    except (Refused, ValueError):
        return None
