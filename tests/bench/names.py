"""The name service beside dnsmasq, which is C, and Docker's: names of its own, and names that it passes on.

Each server answers on 127.0.0.11 of a namespace and is asked by the same clients, turn by turn. Processor time is the
server's own, as the kernel counts it for the process; Docker's is the engine's, which has nothing else to do.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.engine import Reference
from tests.bench.figures import Figure, compare
from tests.bench.plain import start_echo
from tests.dns.flood import ANSWER, NAME
from tests.dns.host import NameServer, delete_namespace, dig, holder, make_namespace, view, wait_until
from tests.dns.load import Load
from tests.dns.load import measure as ask
from tests.dockerd import Dockerd
from workers.contract.names import Entry

CLIENTS = (1, 10, 100)
FORWARDING_CLIENTS = 10
SANDBOXES = 1000
ROUNDS = 3
SECONDS = 1.5
DNSMASQ, DOCKER, ECHO, OWN = "dnsmasq", "Docker 20.10", "bare echo", "netadmin"
REFERENCE, HOST, DOCKER_HOST, ECHO_HOST = "refnames", "refhost", "refdocker", "refecho"
UPSTREAM = "127.0.0.53"
"""On the private host's loopback, where both forwarders are."""
DOCKER_UPSTREAM = "10.202.0.1"
"""Where the engine asks from its container's namespace: its network's own gateway."""
OURS, ASKER, OUTSIDE = NAME, "asker", "far.example.test"
FAR_ANSWER = "203.0.113.9"
FAR = f"--host-record={OUTSIDE},{FAR_ANSWER}"


@dataclass(frozen=True)
class Served:
    load: Load
    cost: float
    """Microseconds of the server's processor for one question."""


QUANTITIES: Sequence[tuple[str, str, Callable[[Served], float]]] = (
    ("", "1/s", lambda served: served.load.queries_per_second),
    (", p50", "us", lambda served: served.load.p50),
    (", p99", "us", lambda served: served.load.p99),
    (", CPU", "us", lambda served: served.cost),
)


def run_dnsmasq(address: str, *options: str, inside: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Here, or where the command `inside` leads; keeps nothing of what it passes on, as we keep nothing."""
    command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file="]
    command += ["--no-resolv", "--no-hosts", "--cache-size=0", "--dns-forward-max=1024", "--bind-interfaces"]
    command += [f"--listen-address={address}", "--log-facility=/dev/null", *options]
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


@dataclass(frozen=True)
class Rival:
    by: str
    namespace: str
    process: int


def contend(name: str, clients: int, ours: int, rivals: Sequence[Rival], label: str) -> list[Figure]:
    """All servers in turn, so that what else the machine does meets all."""
    times: dict[str, list[Served]] = {}
    for _ in range(ROUNDS):
        times.setdefault(OWN, []).append(serve("box0", name, clients, ours))
        for rival in rivals:
            times.setdefault(rival.by, []).append(serve(rival.namespace, name, clients, rival.process))
    what = f"{label}, {clients} client{'s' if clients > 1 else ''}"
    return [
        compare(
            f"{what}{quantity}", [take(one) for one in times[OWN]], unit, [take(one) for one in theirs], by
        )
        for by, theirs in times.items()
        if by != OWN
        for quantity, unit, take in QUANTITIES
    ]


@contextmanager
def docker_names(engine: Dockerd) -> Iterator[Rival]:
    """A container of that name on a network of Docker's, and another that asks for it, and outside a server of the
    engine's own host."""
    reference = Reference(engine)
    reference.run_named(OURS)
    reference.run_named(ASKER, Dns=[DOCKER_UPSTREAM])
    upstream = run_dnsmasq(DOCKER_UPSTREAM, FAR, inside=engine.prefix)
    subprocess.run(["ip", "netns", "attach", DOCKER_HOST, str(reference.process_of(ASKER))], check=True)
    try:
        wait_until(lambda: answers(DOCKER_HOST, OUTSIDE, FAR_ANSWER))
        yield Rival(DOCKER, DOCKER_HOST, engine.process.pid)
    finally:
        end(upstream)
        delete_namespace(DOCKER_HOST)


@contextmanager
def echo() -> Iterator[Rival]:
    """A Python process that sends back what it gets, from one socket: the bound of one in Python."""
    make_namespace(ECHO_HOST)
    process = start_echo(ECHO_HOST)
    assert process.pid is not None
    try:
        yield Rival(ECHO, ECHO_HOST, process.pid)
    finally:
        process.terminate()
        process.join()
        delete_namespace(ECHO_HOST)


def measure(engine: Dockerd | None = None) -> list[Figure]:
    with ExitStack() as stack:
        make_namespace(REFERENCE)
        stack.callback(delete_namespace, REFERENCE)
        stack.callback(end, run_dnsmasq(UPSTREAM, FAR))
        enter = ["nsenter", f"--net=/run/netns/{REFERENCE}", "--"]
        own = run_dnsmasq("127.0.0.11", f"--host-record={OURS},{ANSWER}", inside=enter)
        stack.callback(end, own)
        wait_until(lambda: answers(REFERENCE, OURS, ANSWER))
        rivals = [Rival(DNSMASQ, REFERENCE, own.pid), stack.enter_context(echo())]
        if engine is not None:
            rivals.append(stack.enter_context(docker_names(engine)))
        return [figure for sandboxes in (1, SANDBOXES) for figure in _measure(sandboxes, rivals)]


def _measure(sandboxes: int, rivals: Sequence[Rival]) -> list[Figure]:
    label = f"name of a container, {sandboxes} sandbox{'es' if sandboxes > 1 else ''}"
    with our_server(sandboxes) as server:
        assert server.process is not None
        ours = server.process.pid
        figures = [figure for clients in CLIENTS for figure in contend(OURS, clients, ours, rivals, label)]
        return figures + (_forward(ours, rivals[2:]) if sandboxes == 1 else [])


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()


def _forward(ours: int, others: Sequence[Rival]) -> list[Figure]:
    """dnsmasq forwards in the host's own namespace, where what it asks is."""
    address = "127.0.0.11"
    theirs = run_dnsmasq(address, f"--server={UPSTREAM}")
    subprocess.run(["ip", "netns", "attach", HOST, str(os.getpid())], check=True)
    rivals = [Rival(DNSMASQ, HOST, theirs.pid), *others]
    try:
        for namespace in (HOST, "box0"):
            wait_until(lambda inside=namespace: answers(inside, OUTSIDE, FAR_ANSWER))
        return [
            figure
            for clients in (1, FORWARDING_CLIENTS)
            for figure in contend(OUTSIDE, clients, ours, rivals, "name from outside")
        ]
    finally:
        end(theirs)
        delete_namespace(HOST)
