"""The whole product as a person runs it: started by its launcher, used through its command line."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NETADMIN = str(Path(sys.executable).parent / "netadmin")
PATIENCE = 60.0
PARTS: dict[str, tuple[bytes, ...]] = {
    "host worker": (b"--config",),
    "name service": (b"workers.dns",),
    "port service": (b"workers.publishing",),
    "supervisor": (b"workers.runtimes",),
    "server worker": (b"netadmin.worker",),
    "web server": (b"netadmin.web",),
    "broker": (b"redis-server", b"valkey"),
}
"""The launcher's children, and what the command line of each has in it."""


class LocalConnection(http.client.HTTPConnection):
    """To a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


@contextmanager
def running_product(folder: Path, **settings: str) -> Iterator["Product"]:
    """Started in an empty folder; at the end it stops as Ctrl-C does, leaves no process, and its kernel is purged."""
    product = Product(folder, settings=settings)
    try:
        product.start()
        yield product
        product.stop()
    finally:
        left = product.kill_leftovers()
        product.run("host", "purge")
    assert left == []


@dataclass
class Product:
    """A launcher with a state directory of its own; what is started carries that directory in its environment."""

    state_dir: Path
    listen: str = field(default_factory=lambda: f"127.0.0.1:{find_free_port()}")
    process: subprocess.Popen[bytes] | None = None
    settings: dict[str, str] = field(default_factory=dict)
    prefix: list[str] = field(default_factory=list)
    """What enters the machine on which it runs; empty: this one."""
    arguments: tuple[str, ...] = ()
    """Of the launcher."""

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NETADMIN_")}
        return {
            **kept,
            "NETADMIN_STATE_DIR": str(self.state_dir),
            "NETADMIN_HOST_NAME": "node1",
            "NETADMIN_LISTEN": self.listen,
            "NETADMIN_DOCKER_SOCKETS": str(self.state_dir / "docker"),
            **self.settings,
        }

    def start(self) -> None:
        """Returns when the command line gets an answer."""
        with (self.state_dir / "launcher.log").open("ab") as log:
            command = [*self.prefix, sys.executable, "-m", "netadmin.launcher", *self.arguments]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while self.run("network", "inspect", "bridge").returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"netadmin did not come up:\n{self.read_logs()}")
            time.sleep(0.2)

    def stop(self) -> int:
        """End it as Ctrl-C does; its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)

    def kill_leftovers(self) -> list[str]:
        """End what the launcher left behind; the command lines of it."""
        found = {pid: show_command(pid) for pid in self.find_processes()}
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return list(found.values())

    def find_processes(self) -> list[int]:
        return find_processes_of(self.state_dir)

    def find_part(self, name: str) -> int:
        """The pid of the launcher's child of that name in PARTS. LookupError: there is none now."""
        assert self.process is not None
        launcher = self.process.pid
        children = read_process(launcher, f"task/{launcher}/children").split()
        commands = {int(pid): read_process(int(pid), "cmdline") for pid in children}
        found = [pid for pid, command in commands.items() if any(word in command for word in PARTS[name])]
        if len(found) != 1:
            raise LookupError(name)
        return found[0]

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """A request to the REST API as local root: (status, body). Status 0: the server did not answer."""
        connection = LocalConnection(self.state_dir / "web.sock")
        headers = {"Content-Type": "application/json"}
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1/{path}", content, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return 0, repr(error)
        finally:
            connection.close()

    def read_logs(self) -> str:
        paths = sorted(self.state_dir.rglob("*.log"))
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in paths)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command line, whatever becomes of it."""
        return subprocess.run(
            [*self.prefix, NETADMIN, *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def do(self, line: str) -> str:
        """A command line that must succeed and say nothing on stderr; what it printed, without the last line end."""
        done = self.run(*line.split())
        assert (done.returncode, done.stderr) == (0, ""), (line, done.stdout, done.stderr, self.read_logs())
        return done.stdout.removesuffix("\n")

    def do_quietly(self, line: str) -> str:
        """The same, whatever it says on stderr besides."""
        done = self.run(*line.split())
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout.strip()

    def refuse(self, line: str) -> str:
        """A command line that must fail with status 1 and one line on stderr; that line."""
        done = self.run(*line.split())
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), (line, done.stdout, done.stderr)
        assert done.stderr.startswith("Error: ")
        return done.stderr.strip()

    def empty(self) -> None:
        """Remove all that somebody has made."""
        for listed, remove in (
            ("ps -aq --no-trunc", "rm -f"),
            ("network ls -q --no-trunc --filter type=custom", "network rm"),
            ("image ls -q --no-trunc", "image rm -f"),
        ):
            if made := self.do(listed).split():
                self.do(f"{remove} {' '.join(made)}")

    def inspect_network(self, name: str) -> dict[str, Any]:
        (shown,) = json.loads(self.do(f"network inspect {name}"))
        assert isinstance(shown, dict)
        return shown

    def inspect_attachments(self, container: str) -> dict[str, Any]:
        """What the document gets by `--format='{{json .NetworkSettings.Networks}}'`."""
        (shown,) = json.loads(self.do(f"inspect {container}"))
        networks = shown["NetworkSettings"]["Networks"]
        assert isinstance(networks, dict)
        return networks

    def addresses_on(self, network: str) -> dict[str, str]:
        """Container name to IPv4 address with prefix length, as `network inspect` has it."""
        members = self.inspect_network(network)["Containers"].values()
        return {member["Name"]: member["IPv4Address"] for member in members}

    def ping(self, container: str, target: str) -> subprocess.CompletedProcess[str]:
        """The stock tools: `ip netns exec` and ping."""
        command = [*self.prefix, "ip", "netns", "exec", container, "ping", "-c1", "-w4", target]
        return subprocess.run(command, capture_output=True, text=True)

    def reaches(self, container: str, target: str, address: str) -> None:
        """Both by the stock tools and by `netadmin exec`, and at that address."""
        for done in (self.ping(container, target), self.run("exec", container, "ping", "-c1", "-w4", target)):
            assert done.returncode == 0, (container, target, done.stdout, done.stderr)
            assert f"PING {target} ({address})" in done.stdout

    def knows_no(self, container: str, name: str) -> None:
        """The name is unknown there: ping ends before it sends anything."""
        for done in (self.ping(container, name), self.run("exec", container, "ping", "-c1", "-w4", name)):
            assert done.returncode == 2, (container, name, done.stdout, done.stderr)
            assert "PING" not in done.stdout

    def interfaces_in(self, container: str) -> dict[str, str]:
        """Interface to IPv4 address with prefix length, by the stock `ip` inside."""
        shown = json.loads(self.do(f"exec {container} ip -json -4 address"))
        return {link["ifname"]: _first_address(link["addr_info"]) for link in shown}


def _first_address(found: list[dict[str, Any]]) -> str:
    return f"{found[0]['local']}/{found[0]['prefixlen']}"


def find_processes_of(state_dir: Path) -> list[int]:
    """Every process that was started with the state directory, by whomever."""
    mark = f"NETADMIN_STATE_DIR={state_dir}".encode()
    return [pid for pid in list_processes() if mark in read_process(pid, "environ").split(b"\0")]


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def list_processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def read_process(pid: int, name: str) -> bytes:
    """Empty when the process is gone, or is only waited for."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def show_command(pid: int) -> str:
    return read_process(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
