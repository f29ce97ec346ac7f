"""The unmodified docker client, speaking to a product under test."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.product import Product

CLIENT = shutil.which("docker") or str(Path(sys.executable).with_name("docker"))

PATIENCE = 20.0


@dataclass
class Docker:
    """By default over the Unix socket of host node1, as root."""

    product: Product
    address: str = ""
    config: Path | None = None
    arguments: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """As DOCKER_HOST and -H have it."""
        return self.address or f"unix://{self.product.state_dir}/docker/node1.sock"

    @property
    def command(self) -> list[str]:
        config = ["--config", str(self.config or self.product.state_dir / "no-docker-config")]
        return [*self.product.prefix, CLIENT, *config, "-H", self.host, *self.arguments]

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        return {**kept, **self.settings}

    @property
    def shell(self) -> dict[str, str]:
        """An environment in which `docker` is this client, and speaks to this engine."""
        return {
            **self.environment,
            "PATH": f"{Path(CLIENT).parent}:{os.environ['PATH']}",
            "DOCKER_HOST": self.host,
            "DOCKER_CONFIG": str(self.config or self.product.state_dir / "no-docker-config"),
        }

    def await_answer(self) -> None:
        """The engine's socket appears a moment after the product answers otherwise."""
        deadline = time.monotonic() + PATIENCE
        while self.run("network", "ls").returncode != 0:
            assert time.monotonic() < deadline, self.product.read_logs()
            time.sleep(0.1)

    def run(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """One command line, whatever becomes of it."""
        return subprocess.run(
            [*self.command, *words],
            env=self.environment,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def do(self, line: str) -> str:
        """A command line that must succeed; what it printed, without the last line end."""
        done = self.run(*line.split())
        assert done.returncode == 0, (line, done.stdout, done.stderr, self.product.read_logs())
        return done.stdout.removesuffix("\n")

    def refuse(self, line: str) -> str:
        """A command line that must fail; what the engine said of it."""
        done = self.run(*line.split())
        assert done.returncode != 0, (line, done.stdout)
        return (
            done.stderr.removeprefix("Error response from daemon: ").removesuffix("\nexit status 1\n").strip()
        )

    def start(self, line: str) -> "subprocess.Popen[str]":
        """A command line that lasts."""
        return subprocess.Popen(
            [*self.command, *line.split()],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
