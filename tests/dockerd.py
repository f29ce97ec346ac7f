"""A real Docker engine to compare with: Debian's docker.io, unpacked under build/ and run in namespaces of its own.

Nothing is installed on the machine, and neither its links nor its rules are touched. Needs root, apt-get and cgroups
that may be written; `EngineMissing` says what is not there.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from netadmin.busybox import pack

ROOT = Path(__file__).resolve().parents[1]
UNPACKED = ROOT / "build" / "dockerd"
PACKAGES = ("docker.io", "containerd", "runc", "iptables", "libip6tc2", "libip4tc2", "libnfnetlink0", "tini")
PACKAGES += ("libnetfilter-conntrack3", "busybox-static")
PATIENCE = 60.0
GROUP = f"netadmin-dockerd-{os.getpid()}"
"""Over all control groups of its containers."""
# sysfs shows the network of who mounts it, and would hide the control groups.
PREPARE = """
set -e
ip link set lo up
mkdir -p "$STATE/cgroup" && mount --rbind /sys/fs/cgroup "$STATE/cgroup"
mount -t sysfs sysfs /sys && mount --rbind "$STATE/cgroup" /sys/fs/cgroup && umount -l "$STATE/cgroup"
exec dockerd "$@"
"""


class EngineMissing(Exception):
    """Why no engine can be started here."""


def unpack() -> Path:
    """The folder with the engine's programs, filled the first time."""
    ready = UNPACKED / "ready"
    if ready.exists():
        return UNPACKED
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise EngineMissing("a Docker engine needs root, and Debian's packages through apt-get")
    shutil.rmtree(UNPACKED, ignore_errors=True)
    packages = UNPACKED / "packages"
    packages.mkdir(parents=True)
    fetched = subprocess.run(
        ["apt-get", "download", "-q", *PACKAGES], cwd=packages, capture_output=True, text=True
    )
    if fetched.returncode != 0:
        raise EngineMissing(f"apt-get cannot fetch the engine's packages: {fetched.stderr.strip()}")
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, UNPACKED], check=True)
    shutil.rmtree(packages)
    for name in ("iptables", "ip6tables"):
        # Debian has these names as alternatives, which only an installation makes.
        (UNPACKED / "usr" / "sbin" / name).symlink_to("xtables-nft-multi")
    ready.touch()
    return UNPACKED


@dataclass(frozen=True)
class Dockerd:
    state: Path
    process: subprocess.Popen[bytes]

    @property
    def host(self) -> str:
        """As DOCKER_HOST and -H have it."""
        return f"unix://{self.state}/docker.sock"

    @property
    def client(self) -> str:
        return str(UNPACKED / "usr" / "bin" / "docker")

    @property
    def prefix(self) -> list[str]:
        """What enters the machine that the engine sees."""
        return ["nsenter", "-t", str(self.process.pid), "-n", "-m", "--"]

    def run(self, *words: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([self.client, "-H", self.host, *words], input=given, capture_output=True)

    def do(self, *words: str, given: bytes | None = None) -> str:
        done = self.run(*words, given=given)
        assert done.returncode == 0, (words, done.stderr.decode(), self.read_log())
        return done.stdout.decode().strip()

    def read_log(self) -> str:
        return (self.state / "dockerd.log").read_text(errors="replace")[-3000:]


@contextmanager
def running(state: Path, *options: str) -> Iterator[Dockerd]:
    """An engine that answers and has the image busybox; it and its containers end with the context.

    To be begun before a private host is entered, which hides the control groups.
    """
    programs = unpack()
    state.mkdir(parents=True, exist_ok=True)
    # Whoever enters a private host meanwhile finds them by this only.
    groups = os.open("/sys/fs/cgroup", os.O_RDONLY | os.O_DIRECTORY)
    process = _start(programs, state, options)
    engine = Dockerd(state, process)
    try:
        deadline = time.monotonic() + PATIENCE
        while engine.run("version").returncode != 0:
            if process.poll() is not None or time.monotonic() > deadline:
                raise EngineMissing(f"dockerd does not start on this machine:\n{engine.read_log()}")
            time.sleep(0.1)
        engine.do("import", "-c", 'CMD ["sh"]', "-", "busybox", given=pack(programs / "bin" / "busybox"))
        yield engine
        if containers := engine.do("ps", "-aq").split():
            engine.do("rm", "-f", *containers)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _remove_groups(Path(f"/proc/self/fd/{groups}"))
        os.close(groups)


def _remove_groups(root: Path) -> None:
    """dockerd leaves those that it made, below each controller's own root or the common one."""
    for group in (*root.glob(GROUP), *root.glob(f"*/{GROUP}")):
        for folder in sorted(group.glob("**/"), reverse=True):
            folder.rmdir()


def _start(programs: Path, state: Path, options: tuple[str, ...]) -> subprocess.Popen[bytes]:
    arguments = ["--data-root", f"{state}/data", "--exec-root", f"{state}/exec", "--pidfile", f"{state}/pid"]
    arguments += ["-H", f"unix://{state}/docker.sock", "--storage-driver", "vfs"]
    arguments += ["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{GROUP}"]
    environment = {
        **os.environ,
        "STATE": str(state),
        "PATH": f"{programs}/usr/sbin:{programs}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LD_LIBRARY_PATH": f"{programs}/usr/lib/x86_64-linux-gnu:{programs}/lib/x86_64-linux-gnu",
        "XTABLES_LIBDIR": f"{programs}/usr/lib/x86_64-linux-gnu/xtables",
    }
    command = ["unshare", "-n", "-m", "--propagation", "private", "sh", "-c", PREPARE, "dockerd"]
    with (state / "dockerd.log").open("wb") as log:
        return subprocess.Popen(
            [*command, *arguments, *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
