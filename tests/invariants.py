"""What must hold on one machine whenever nothing is under way: record, kernel, names and history agree.

Read from where each keeps it (the database, `ip`, /run/netns, the resolver inside each container), and once by
the product's own comparison, `plan`.
"""

import json
import os
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dns.message

from tests.dns.host import udp_to
from tests.product import Product
from tests.record import Record, Unreadable, open_record


def find_violations(product: Product) -> list[str]:
    """A sentence for each that does not hold; [] when all is well."""
    try:
        with open_record(product) as record:
            found = [*_unfinished(record), *_ends(record), *_addresses(record)]
            found += [*_history(record), *_kernel(record)]
            # What is not there answers no questions.
            found = found or list(_names(record))
    except Unreadable as error:
        return [f"The record cannot be read: {error}."]
    return found or list(_plan(product))


def _unfinished(record: Record) -> Iterator[str]:
    for action, name in record.read(
        "select action, subject_name from delivery_operation where outcome = 'pending'"
    ):
        yield f"The operation {action} {name} is still under way."
    for table in ("networks_network", "networks_endpoint", "containers_container"):
        going = "wanted = 'removing'" if table == "containers_container" else "removing"
        query = f"select id, error from {table} where not applied or {going} or error != ''"  # noqa: S608
        for id, error in record.read(query):
            yield f"The row {id} of {table} is not settled: {error or 'no error'}."


def _ends(record: Record) -> Iterator[str]:
    """How each process ended is known that was stopped or ended by itself."""
    query = """
        select name from containers_container
        where state = 'exited' and exit_code is null and (command != '[]' or entrypoint != '[]')
    """
    for (name,) in record.read(query):
        yield f"How container {name} ended is not known."


def _addresses(record: Record) -> Iterator[str]:
    """Each address is held once, by an endpoint that has it; held and free ones together are the whole subnet."""
    has = {
        (id, address)
        for id, *both in record.read("select id, ipv4, ipv6 from networks_endpoint")
        for address in both
        if address
    }
    rows = record.read("select holder, text from ipam_address where holder != ''")
    held = {(holder, text) for holder, text in rows}
    for id, address in held - has:
        yield f"The address {address} is leaked: {id} has it no more."
    for id, address in has - held:
        yield f"The address {address} of {id} is not held."
    query = "select network_id, ipv4 from networks_endpoint where ipv4 is not null"
    for (network, address), times in Counter(record.read(query)).items():
        if times > 1:
            yield f"The address {address} of network {network} was given {times} times."
    yield from _free_ranges(record)


def _free_ranges(record: Record) -> Iterator[str]:
    for id, cidr, first, last in record.read("select id, cidr, first, last from ipam_subnet"):
        taken = {
            bytes(value) for (value,) in record.read("select value from ipam_address where subnet_id = ?", id)
        }
        runs = record.read("select first, last from ipam_freerange where subnet_id = ?", id)
        free = sum(_number(high) - _number(low) + 1 for low, high in runs)
        if free + len(taken) != _number(last) - _number(first) + 1:
            yield f"The subnet {cidr} has {free} free and {len(taken)} taken addresses: that is not all of it."
        for value in taken:
            if any(_number(low) <= _number(value) <= _number(high) for low, high in runs):
                yield f"An address of {cidr} is both free and taken: {ip_address(_number(value))}."


def _number(packed: object) -> int:
    return int.from_bytes(packed, "big")  # type: ignore[arg-type]


def _kernel(record: Record) -> Iterator[str]:
    """Exactly the bridges, ports and namespaces of what is on record."""
    bridges = {id for (id,) in record.read("select id from networks_network where driver = 'bridge'")}
    running = dict(
        record.read(
            "select id, name from containers_container where state = 'running' and not host_network",
        )
    )
    ports = {
        id
        for id, container, network in record.read(
            "select id, container_id, network_id from networks_endpoint"
        )
        if container in running and network in bridges
    }
    links = subprocess.run(["ip", "-json", "link"], capture_output=True, text=True, check=True).stdout
    aliases = [link.get("ifalias", "").split() for link in json.loads(links)]
    yield from _compare("bridges", bridges, [a[2] for a in aliases if a[:2] == ["netadmin", "bridge"]])
    yield from _compare("ports", ports, [a[2] for a in aliases if a[:2] == ["netadmin", "port"]])
    folder = Path("/run/netns")
    names = os.listdir(folder) if folder.exists() else []
    yield from _compare("namespaces", set(running.values()), names)


def _history(record: Record) -> Iterator[str]:
    """What was made and not removed is there, as it was left; what was removed is not. Of changes that the host could
    not make at once only those are undone that make something: the others it goes on trying."""
    made: dict[tuple[str, str], tuple[str, str, dict[str, Any]]] = {}
    query = "select action, subject, subject_id, subject_name, after, detail from delivery_operation"
    for action, subject, id, name, after, detail in record.read(
        f"{query} where subject in ('network', 'container', 'endpoint') and "
        "(outcome = 'done' or action not in ('network.create', 'endpoint.connect')) order by at"
    ):
        made[subject, id] = (action, name, json.loads(after or "{}") | {"detail": json.loads(detail)})
        if action in ("network.remove", "container.remove"):
            # What was on it went with it.
            field = action.partition(".")[0]
            made = {
                key: told
                for key, told in made.items()
                if not (key[0] == "endpoint" and told[2]["detail"].get(field) == name)
            }
    there = {
        "network": dict(record.read("select id, 0 from networks_network")),
        "container": dict(record.read("select id, wanted from containers_container")),
        "endpoint": dict(record.read("select id, 0 from networks_endpoint")),
    }
    for (subject, id), (action, name, after) in made.items():
        ended, found = action.endswith((".remove", ".disconnect")), id in there[subject]
        if ended == found:
            which = "on record" if found else "not on record"
            yield f"The {subject} {name} is {which}, though the history ends with {action}."
        elif "wanted" in after and found and after["wanted"] != there[subject][id]:
            yield f"The container {name} shall be {there[subject][id]}, in the history {after['wanted']}."


def _names(record: Record) -> Iterator[str]:
    """In each container with a name server the names of all: those on a network with it are known, others not."""
    query = """
        select container.name, endpoint.network_id, endpoint.ipv4 from networks_endpoint as endpoint
        join containers_container as container on container.id = endpoint.container_id
        join networks_network as network on network.id = endpoint.network_id
        where container.state = 'running' and network.driver = 'bridge' and not network.predefined
    """
    on: dict[str, dict[str, str]] = {}
    for name, network, address in record.read(query):
        on.setdefault(name, {})[network] = address
    for asking in on:
        with closing(udp_to(asking)) as door:
            for other in on:
                shared = on[asking].keys() & on[other].keys()
                wanted = {on[other][network] for network in shared}
                found = _ask_for(door, other)
                if bool(wanted) != bool(found) or not found <= wanted:
                    yield f"In {asking} the name {other} means {found or 'nothing'}, not {wanted or 'nothing'}."


def _ask_for(door: socket.socket, name: str) -> set[str]:
    """The IPv4 addresses of the name."""
    door.send(dns.message.make_query(name, "A").to_wire())
    try:
        reply = dns.message.from_wire(door.recv(4096))
    except OSError as error:
        return {repr(error)}
    return {item.to_text() for answer in reply.answer for item in answer}


def _compare(what: str, wanted: set[object], found: list[str]) -> Iterator[str]:
    if Counter(wanted) != Counter(found):
        missing, left = wanted.difference(found), sorted(set(found).difference(map(str, wanted)))
        yield f"The kernel's {what} differ: {missing or 'none'} missing, {left or 'none'} left over."


def _plan(product: Product) -> Iterator[str]:
    done = product.run("plan", "--json")
    if done.returncode != 0:
        yield f"There is no plan: {done.stderr.strip()}"
        return
    for host in json.loads(done.stdout):
        if host["total"] or host["problem"]:
            yield f"The host would mend: {json.dumps(host)[:1000]}"
