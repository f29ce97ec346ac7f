"""What must hold on one machine whenever nothing is under way: record, kernel and history agree.

Read from where each keeps it (the database's file, `ip`, /run/netns), and once by the product's own comparison, `plan`.
"""

import json
import os
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path

from tests.product import Product

Rows = list[tuple[object, ...]]


def find_violations(product: Product) -> list[str]:
    """A sentence for each that does not hold; [] when all is well. For a product on SQLite."""
    with closing(sqlite3.connect(product.state_dir / "netadmin.sqlite3", timeout=20)) as database:
        found = [*_unfinished(database), *_addresses(database), *_kernel(database)]
    return found or list(_plan(product))


def _read(database: sqlite3.Connection, query: str) -> Rows:
    return database.execute(query).fetchall()


def _unfinished(database: sqlite3.Connection) -> Iterator[str]:
    for action, name in _read(
        database, "select action, subject_name from delivery_operation where outcome = 'pending'"
    ):
        yield f"The operation {action} {name} is still under way."
    for table in ("networks_network", "networks_endpoint", "containers_container"):
        going = "wanted = 'removing'" if table == "containers_container" else "removing"
        query = f"select id, error from {table} where not applied or {going} or error != ''"  # noqa: S608
        for id, error in _read(database, query):
            yield f"The row {id} of {table} is not settled: {error or 'no error'}."


def _addresses(database: sqlite3.Connection) -> Iterator[str]:
    """Each address is held once, by an endpoint that has it; held and free ones together are the whole subnet."""
    has = {
        (id, address)
        for id, *both in _read(database, "select id, ipv4, ipv6 from networks_endpoint")
        for address in both
        if address
    }
    rows = _read(database, "select holder, text from ipam_address where holder != ''")
    held = {(holder, text) for holder, text in rows}
    for id, address in held - has:
        yield f"The address {address} is leaked: {id} has it no more."
    for id, address in has - held:
        yield f"The address {address} of {id} is not held."
    query = "select network_id, ipv4 from networks_endpoint where ipv4 is not null"
    for (network, address), times in Counter(_read(database, query)).items():
        if times > 1:
            yield f"The address {address} of network {network} was given {times} times."
    yield from _free_ranges(database)


def _free_ranges(database: sqlite3.Connection) -> Iterator[str]:
    for id, cidr, first, last in _read(database, "select id, cidr, first, last from ipam_subnet"):
        taken = {
            bytes(value)  # type: ignore[call-overload]
            for (value,) in database.execute("select value from ipam_address where subnet_id = ?", (id,))
        }
        runs = database.execute(
            "select first, last from ipam_freerange where subnet_id = ?", (id,)
        ).fetchall()
        free = sum(_number(high) - _number(low) + 1 for low, high in runs)
        if free + len(taken) != _number(last) - _number(first) + 1:
            yield f"The subnet {cidr} has {free} free and {len(taken)} taken addresses: that is not all of it."
        for value in taken:
            if any(_number(low) <= _number(value) <= _number(high) for low, high in runs):
                yield f"An address of {cidr} is both free and taken: {ip_address(_number(value))}."


def _number(packed: object) -> int:
    return int.from_bytes(packed, "big")  # type: ignore[arg-type]


def _kernel(database: sqlite3.Connection) -> Iterator[str]:
    """Exactly the bridges, ports and namespaces of what is on record."""
    bridges = {id for (id,) in _read(database, "select id from networks_network where driver = 'bridge'")}
    running = dict(
        _read(
            database,
            "select id, name from containers_container where state = 'running' and not host_network",
        )
    )
    ports = {
        id
        for id, container, network in _read(
            database, "select id, container_id, network_id from networks_endpoint"
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
        if host.get("total", 0) or host.get("error"):
            yield f"The host would mend: {json.dumps(host)[:1000]}"
