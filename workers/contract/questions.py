"""Questions that change nothing: the server asks, one host answers once."""

from typing import Any

from workers.contract.state import Struct

OPERATIONS = 500
"""Most operations that one plan tells; what is more is only counted."""


class Question(Struct, frozen=True, kw_only=True):
    id: str
    kind: str
    """logs {container, tail}; run_once {container, sandbox, hostname, command, env, timeout};
    exec {session, container, sandbox, hostname, command, env, tty, columns, rows};
    detach, like exec; exec_state {session};
    follow_logs {session, container, tail};
    list_processes {container, sandbox, options: words for ps}; read_use {container, sandbox};
    explain_names {asked: [{container, name}], type}; measure {sources: [{sandbox, addresses}], count, timeout};
    read_interfaces {sandboxes}; list_links {network};
    plan {host, changed: [row] or None for what mending would do};
    list_images {}; find_image {name}; import_image {transfer, name, changes, message}; load_images {transfer};
    tag_image {name, new}; remove_image {name, force, uses: [{container, image, running}]}."""
    arguments: dict[str, Any]
    at: float
    """When it was asked, in seconds since the epoch: an old one is not answered."""
    request: str = ""
    """The id of the request that asks, for the logs."""


class Answer(Struct, frozen=True, kw_only=True):
    id: str
    """Of the question."""
    ok: bool
    result: dict[str, Any] = {}
    """logs {text}; run_once {code, output, truncated}; exec and detach {pid};
    exec_state {state: running, ended or unknown, code}; list_processes {titles, processes};
    read_use {user, system, memory, tasks, host, cpus, limit, interfaces} (`workers.runtimes.census.measure`);
    explain_names {answers: [{step, network, network_name, answers, rcode} or {error}]};
    measure {by sandbox: [{address, sent, received, rtt_ms, error}]}; read_interfaces {by sandbox: [interface]};
    list_links {links: [device]}; plan {operations: [{verb, kind, text}], total};
    list_images {images}, find_image, import_image and tag_image {image}: an image is
    {id, names, size, document}; load_images {loaded: [name or sha256:id]}; remove_image {removed: [[kind, what]]}."""
    error: str = ""
    """When not ok: one sentence for the person who asked."""
    code: int = 0
    """When not ok: 400, 404 or 409 for what the person can mend, 500 for a fault of the host; of a command 125, 126
    or 127, which a shell would have ended with."""
