"""The whole product as a person runs it: started by its launcher, used through its command line."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NETADMIN = str(Path(sys.executable).parent / "netadmin")
PATIENCE = 60.0


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
