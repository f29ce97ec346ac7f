"""The name service beside dnsmasq, which is C: names of its own, and names that it passes on.

Each server answers on 127.0.0.11 of a namespace and is asked by the same clients, turn by turn. Processor time is the
server's own, as the kernel counts it for the process.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Figure, compare
from tests.dns.host import NameServer, delete_namespace, dig, holder, make_namespace, view, wait_until
from tests.dns.load import Load
from tests.dns.load import measure as ask
from workers.contract.names import Entry

CLIENTS = (1, 10, 100)
FORWARDING_CLIENTS = 10
SANDBOXES = 1000
ROUNDS = 3
SECONDS = 1.5
DNSMASQ = "dnsmasq"
REFERENCE, HOST = "refnames", "refhost"
UPSTREAM = "127.0.0.53"
"""On the private host's loopback, where both forwarders are."""
OURS, OUTSIDE = "web", "far.example.test"
ANSWER = "10.1.0.2"


@dataclass(frozen=True)
class Served:
    load: Load
    cost: float
    """Microseconds of the server's processor for one question."""


def run_dnsmasq(namespace: str | None, address: str, *options: str) -> subprocess.Popen[bytes]:
    """In that namespace, or in this one; keeps nothing of what it passes on, as we keep nothing."""
    command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file="]
    command += ["--no-resolv", "--no-hosts", "--cache-size=0", "--dns-forward-max=1024", "--bind-interfaces"]
    command += [f"--listen-address={address}", "--log-facility=/dev/null", *options]
    inside = ["nsenter", f"--net=/run/netns/{namespace}", "--"] if namespace else []
    return subprocess.Popen([*inside, *command], stderr=subprocess.DEVNULL)


def answers(namespace: str, name: str, value: str) -> bool:
    try:
        return dig(namespace, name, seconds=1).values == [value]
    except subprocess.CalledProcessError:
        return False


def serve(namespace: str, name: str, clients: int, process: int) -> Served:
    before = processor(process)
    load = ask(namespace, name, clients, SECONDS)
    if load.wrong:
        raise RuntimeError(f"{load.wrong} answers about {name} in {namespace} were wrong or did not come.")
    used = processor(process) - before
    return Served(load, used / (load.queries_per_second * SECONDS) * 1e6)


def processor(process: int) -> float:
    """Seconds that all threads of the process have run."""
    tasks = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


@contextmanager
def our_server(sandboxes: int) -> Iterator[NameServer]:
    """With so many namespaces to serve; the first is box0."""
    names = [f"box{number}" for number in range(sandboxes)]
    for name in names:
        make_namespace(name)
    with tempfile.TemporaryDirectory(prefix="netadmin-names-") as folder:
        server = NameServer(Path(folder))
        server.resolv_conf.write_text(f"nameserver {UPSTREAM}\n")
        server.start()
        entries: list[Entry] = [holder(OURS, ipv4=ANSWER), *(view(name, "a") for name in names)]
        server.client.update(entries, [])
        try:
            yield server
        finally:
            server.client.close()
            server.stop()
            for name in names:
                delete_namespace(name)


def contend(
    name: str, clients: int, ours: int, theirs: int, label: str, reference: str = REFERENCE
) -> list[Figure]:
    """Both servers in turn, so that what else the machine does meets both."""
    pairs = [
        (serve("box0", name, clients, ours), serve(reference, name, clients, theirs)) for _ in range(ROUNDS)
    ]
    mine, other = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    what = f"{label}, {clients} client{'s' if clients > 1 else ''}"
    return [
        compare(
            f"{what}",
            [one.load.queries_per_second for one in mine],
            "1/s",
            [one.load.queries_per_second for one in other],
            DNSMASQ,
        ),
        compare(
            f"{what}, p50", [one.load.p50 for one in mine], "us", [one.load.p50 for one in other], DNSMASQ
        ),
        compare(
            f"{what}, p99", [one.load.p99 for one in mine], "us", [one.load.p99 for one in other], DNSMASQ
        ),
        compare(f"{what}, CPU", [one.cost for one in mine], "us", [one.cost for one in other], DNSMASQ),
    ]


def measure() -> list[Figure]:
    make_namespace(REFERENCE)
    upstream = run_dnsmasq(None, UPSTREAM, f"--host-record={OUTSIDE},203.0.113.9")
    own = run_dnsmasq(REFERENCE, "127.0.0.11", f"--host-record={OURS},{ANSWER}")
    figures: list[Figure] = []
    try:
        wait_until(lambda: answers(REFERENCE, OURS, ANSWER))
        for sandboxes in (1, SANDBOXES):
            with our_server(sandboxes) as server:
                assert server.process is not None
                for clients in CLIENTS if sandboxes == 1 else CLIENTS[1:2]:
                    label = f"name of a container, {sandboxes} sandbox{'es' if sandboxes > 1 else ''}"
                    figures += contend(OURS, clients, server.process.pid, own.pid, label)
                if sandboxes == 1:
                    figures += _forward(server.process.pid)
    finally:
        for process in (own, upstream):
            process.terminate()
            process.wait()
        delete_namespace(REFERENCE)
    return figures


def _forward(ours: int) -> list[Figure]:
    """dnsmasq forwards in the host's own namespace, where what it asks is."""
    address = "127.0.0.11"
    theirs = run_dnsmasq(None, address, f"--server={UPSTREAM}")
    subprocess.run(["ip", "netns", "attach", HOST, str(os.getpid())], check=True)
    try:
        for namespace in (HOST, "box0"):
            wait_until(lambda inside=namespace: answers(inside, OUTSIDE, "203.0.113.9"))
        return [
            figure
            for clients in (1, FORWARDING_CLIENTS)
            for figure in contend(OUTSIDE, clients, ours, theirs.pid, "name from outside", HOST)
        ]
    finally:
        theirs.terminate()
        theirs.wait()
        delete_namespace(HOST)
