"""What an OCI runtime is told of a container (runtime-spec, config.md): an engine's defaults, as Docker has them. Pure.

Different from Docker's, since there are no control groups, which would keep devices away: no CAP_MKNOD. And system
calls are refused by a list of those that lead out or in, not allowed by a list of all others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workers.runtimes.accounts import Account

_CAPABILITIES = [
    f"CAP_{name}"
    for name in (
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    )
]
_MASKED = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
]
_READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
_REFUSED_CALLS = [
    "acct",
    "add_key",
    "bpf",
    "delete_module",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mount",
    "mount_setattr",
    "move_mount",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "setns",
    "swapoff",
    "swapon",
    "sysfs",
    "umount",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "ustat",
    "vhangup",
]
HOME_FOUND = "netadmin.home"
TERM_GIVEN = "netadmin.term"
_OWN = {"HOME": HOME_FOUND, "TERM": TERM_GIVEN}
"""Variables of a first process that were not asked for, by what says so of its container."""
_TERMINAL = "xterm"
_CLONE_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""
_ENOSYS, _EPERM = 38, 1


@dataclass(frozen=True)
class Asked:
    """What is to run, before it is known who that is inside; empty: as the image or the container has it."""

    command: Sequence[str]
    env: Mapping[str, str]
    terminal: bool = False
    user: str = ""
    working_dir: str = ""
    size: tuple[int, int] = (80, 24)
    """Columns and rows of the terminal."""


@dataclass(frozen=True)
class Surroundings:
    """What a container has besides its root."""

    hostname: str
    namespace: str
    """Path of its network namespace; empty: the host's."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Path inside to the file on the host."""
    descriptors: tuple[int, int] = (1024, 1024)
    """Soft and hard limit of open files."""


def describe_container(asked: Asked, account: Account, around: Surroundings) -> dict[str, Any]:
    """The whole configuration of a bundle; its root is `root` beside it."""
    namespaces: list[dict[str, str]] = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]
    if around.namespace:
        namespaces.append({"type": "network", "path": around.namespace})
    soft, hard = around.descriptors
    first: dict[str, Any] = {
        "capabilities": {kind: _CAPABILITIES for kind in ("bounding", "effective", "permitted")},
        "noNewPrivileges": False,
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": soft, "hard": hard}],
    }
    process = describe_process(asked, account, {**first, "cwd": "/", "env": []})
    return {
        "ociVersion": "1.0.2",
        # For commands that run beside it, as somebody else or without a terminal.
        "annotations": {
            **({} if "HOME" in asked.env else {HOME_FOUND: account.home}),
            **({TERM_GIVEN: _TERMINAL} if asked.terminal and "TERM" not in asked.env else {}),
        },
        "root": {"path": "root", "readonly": False},
        "hostname": around.hostname,
        "process": process,
        "mounts": [*_mounts(), *(_bind(target, source) for target, source in around.files.items())],
        "linux": {
            "namespaces": namespaces,
            "maskedPaths": _MASKED,
            "readonlyPaths": _READ_ONLY,
            "seccomp": _calls(),
        },
    }


def read_first(container: Mapping[str, Any]) -> dict[str, Any]:
    """The first process of a container, from its configuration, without what was only true of itself."""
    process = container["process"]
    own = {name for name, mark in _OWN.items() if mark in container["annotations"]}
    return {**process, "env": [line for line in process["env"] if line.partition("=")[0] not in own]}


def describe_process(asked: Asked, account: Account, first: Mapping[str, Any]) -> dict[str, Any]:
    """A process of a container; `first` is the container's first one, of which it has what is not asked for."""
    # Were it missing, crun would look for it in a file that it waits for.
    given = {"HOME": account.home, **({"TERM": _TERMINAL} if asked.terminal else {})}
    env = {**given, **dict(line.split("=", 1) for line in first["env"]), **asked.env}
    columns, rows = asked.size
    return {
        **first,
        "terminal": asked.terminal,
        "consoleSize": {"width": columns, "height": rows},
        "user": {"uid": account.uid, "gid": account.gid, "additionalGids": list(account.groups)},
        "args": list(asked.command),
        "env": [f"{name}={value}" for name, value in env.items()],
        "cwd": asked.working_dir or first["cwd"],
    }


def _mounts() -> list[dict[str, Any]]:
    quiet = ["nosuid", "noexec", "nodev"]
    return [
        _mount("/proc", "proc", quiet),
        _mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount(
            "/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
        ),
        _mount("/dev/shm", "tmpfs", [*quiet, "mode=1777", "size=65536k"]),
        _mount("/dev/mqueue", "mqueue", quiet),
        _mount("/sys", "sysfs", [*quiet, "ro"]),
    ]


def _mount(target: str, kind: str, options: list[str]) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": kind, "options": options}


def _bind(target: str, source: str) -> dict[str, Any]:
    return {"destination": target, "type": "bind", "source": source, "options": ["rbind", "rprivate"]}


def _calls() -> dict[str, Any]:
    """Mounting, other namespaces, keys, modules and tracing of the kernel: what root of a container has no need of."""
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {"names": _REFUSED_CALLS, "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM},
            *(
                {
                    "names": ["clone"],
                    "action": "SCMP_ACT_ERRNO",
                    "errnoRet": _EPERM,
                    "args": [{"index": 0, "value": bit, "valueTwo": bit, "op": "SCMP_CMP_MASKED_EQ"}],
                }
                for bit in _bits(_CLONE_NAMESPACES)
            ),
            # Its flags are in memory, where a filter cannot look; without it the C library takes clone.
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
        ],
    }


def _bits(mask: int) -> list[int]:
    return [1 << place for place in range(32) if mask >> place & 1]
