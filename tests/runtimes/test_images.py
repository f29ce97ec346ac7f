"""Containers that have an image: in a root of their own, by the OCI runtime."""

import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from netadmin.busybox import pack
from tests.runtimes.host import MARK, Machine, Session, find_marked, wait_until
from workers.images.places import folder_of, root_of
from workers.planning.objects import Process
from workers.runtimes.accounts import Account
from workers.runtimes.client import SupervisorError
from workers.runtimes.specification import Asked, Surroundings, describe_container

IMAGE = "5" * 64


@pytest.fixture(autouse=True)
def image(machine: Machine) -> Path:
    """The root of an image in the host's store."""
    program = shutil.which("busybox")
    assert program
    root = root_of(folder_of(machine.folder / "state"), IMAGE)
    root.mkdir(parents=True)
    with tarfile.open(fileobj=BytesIO(pack(Path(program)))) as archive:
        archive.extractall(root, filter="fully_trusted")
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nuser:x:1000:1001::/nowhere:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nuser:x:1001:\nwheel:x:10:root,user\n")
    return root


def process(machine: Machine, script: str, **options: object) -> Process:
    fields: dict[str, object] = {
        "container": "web",
        "sandbox": "box",
        "hostname": "webhost",
        "incarnation": 1,
        "command": ("sh", "-c", script),
        "env": {MARK: machine.mark},
        "stop_timeout": 5.0,
        "image": IMAGE,
    }
    return Process(**(fields | options))  # type: ignore[arg-type]


def run(machine: Machine, script: str, **options: object) -> str:
    """What a container prints that ends by itself."""
    machine.client.start(process(machine, script, **options))
    machine.wait_for_end()
    printed = machine.client.logs("web")
    machine.client.forget("web", remains=True)
    return printed


def ask(machine: Machine, *command: str, **options: object) -> str:
    """What a command prints beside the process of a running container."""
    return machine.client.run_once(command, container="web", image=IMAGE, **options).output  # type: ignore[arg-type]


def test_it_runs_in_its_root_in_the_sandbox_and_alone_in_its_process_table(
    machine: Machine, image: Path
) -> None:
    printed = run(
        machine,
        "ls -d /bin/busybox /usr 2>&1; hostname; cat /etc/hosts /etc/resolv.conf /etc/hostname; ls /sys/class/net;"
        "echo pid $$; ls /proc | grep -c '^[0-9]*$'; grep CapEff /proc/1/status; env",
    )
    assert "/bin/busybox\n" in printed
    assert "/usr: No such file" in printed
    assert "webhost\n127.0.0.1 localhost\nnameserver 127.0.0.11\nwebhost\nlo\npid 1\n" in printed
    assert "CapEff:\t00000000a00425fb" in printed
    assert {"HOSTNAME=webhost", "HOME=/", "SHLVL=1"} <= set(printed.splitlines())
    assert "TERM=" not in printed


def test_what_it_writes_is_its_own_until_it_is_removed(machine: Machine, image: Path) -> None:
    layers = machine.folder / "state/layers"
    machine.client.start(process(machine, "echo mine > /etc/mine; rm -r /var; exit 3"))
    assert machine.wait_for_end() == 3
    machine.client.forget("web")
    assert not (image / "etc/mine").exists()
    assert (image / "var").is_dir()
    machine.client.start(process(machine, "cat /etc/mine; ls /var", incarnation=2))
    machine.wait_for_end()
    assert "mine\n" in machine.client.logs("web")
    assert "/var: No such file" in machine.client.logs("web")
    machine.client.forget("web", remains=True)
    wait_until(lambda: not list(layers.iterdir()), "the layer is gone")
    assert "No such file" in run(machine, "cat /etc/mine")


def test_users_are_those_of_the_image(machine: Machine) -> None:
    assert run(
        machine, "id; pwd; echo >> /dev/stdout; env", user="user", working_dir="/new/place"
    ).startswith("uid=1000(user) gid=1001(user) groups=10(wheel)\n/new/place\n\n")
    assert run(machine, "id -u; id -g; grep CapEff /proc/self/status", user="1234:5").startswith(
        "1234\n5\nCapEff:\t0000000000000000"
    )
    with pytest.raises(SupervisorError, match="unable to find user nobody-here") as raised:
        machine.client.start(process(machine, "id", user="nobody-here"))
    assert raised.value.code == 126


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [(("no-such-thing",), 127, "was not found"), (("/etc/passwd",), 126, "cannot be executed")],
)
def test_a_command_that_cannot_run_is_refused(
    machine: Machine, command: tuple[str, ...], code: int, said: str
) -> None:
    with pytest.raises(SupervisorError, match=said) as raised:
        machine.client.start(process(machine, "", command=command))
    assert raised.value.code == code
    assert machine.client.status() == {}
    assert list((machine.folder / "state/crun").glob("*/*")) == []


def test_an_image_that_is_not_there_is_named(machine: Machine) -> None:
    with pytest.raises(SupervisorError, match="not in this host's store; import or load it again"):
        machine.client.start(process(machine, "id", image="6" * 64))


def test_it_is_stopped_killed_and_counted_as_any_other(machine: Machine) -> None:
    machine.client.start(process(machine, "trap 'exit 7' TERM; sleep 600 & sleep 600 & echo up; wait"))
    machine.wait_for_log("up")
    machine.wait_for_processes(3)
    machine.client.stop("web", 60.0)
    assert machine.wait_for_end() == 7
    assert find_marked(machine.mark) == set()
    machine.client.forget("web")
    # Without a handler, the first process of a process table takes nothing but SIGKILL.
    machine.client.start(process(machine, "sleep 600; echo", incarnation=2))
    machine.client.stop("web", 0.2)
    assert machine.wait_for_end() == 137
    machine.client.forget("web")
    machine.client.start(
        process(machine, "trap 'echo told' HUP; while :; do sleep 0.05; done", incarnation=3)
    )
    machine.client.signal("web", "HUP")
    machine.wait_for_log("told")
    machine.client.signal("web", "KILL")
    assert machine.wait_for_end() == 137


def test_it_goes_on_without_a_supervisor_and_is_adopted(machine: Machine) -> None:
    pid = machine.client.start(process(machine, "trap 'exit 9' TERM; while :; do sleep 0.05; done"))
    machine.crash()
    os.kill(pid, 0)
    machine.boot()
    assert machine.client.status()["web"].pid == pid
    assert ask(machine, "hostname") == "webhost\n"
    assert machine.client.start(process(machine, "", incarnation=1)) == pid
    machine.client.stop("web", 60.0)
    # Before Linux 6.15 nobody can tell the code of another's child.
    assert machine.wait_for_end() in (9, 255)
    assert find_marked(machine.mark) == set()


def test_commands_run_beside_it_and_end_without_it(machine: Machine) -> None:
    machine.client.start(
        process(machine, "export A=main; exec sleep 600", user="user", env={MARK: machine.mark, "V": "1"})
    )
    assert (
        ask(machine, "sh", "-c", "id -u; pwd; echo $V $W; ps -o args | grep -c ^sleep", env={"W": "2"})
        == "1000\n/\n1 2\n1\n"
    )
    assert ask(machine, "id", "-u", user="0") == "0\n"
    assert ask(machine, "pwd", working_dir="/some/where") == "/some/where\n"
    assert machine.client.run_once(["sh", "-c", "exit 5"], container="web", image=IMAGE).code == 5
    with pytest.raises(SupervisorError, match="was not found") as raised:
        ask(machine, "no-such-thing")
    assert raised.value.code == 127
    late = machine.client.run_once(["sleep", "600"], container="web", image=IMAGE, timeout=0.3)
    assert late.code == 124
    machine.wait_for_processes(1)
    machine.client.signal("web", "KILL")
    assert machine.wait_for_end() == 137
    # Never in the host's own root instead.
    with pytest.raises(SupervisorError, match="no running process"):
        ask(machine, "id")


def test_a_session_has_a_terminal_of_the_container(
    machine: Machine, open_session: Callable[[str], Session]
) -> None:
    machine.client.start(process(machine, "exec sleep 600"))
    session = open_session("s1")
    machine.client.exec("s1", ["sh"], container="web", image=IMAGE, tty=True, columns=91, rows=33)
    session.send(0, b"tty; stty size; echo $TERM\n")
    session.read_until(b"xterm\r\n")
    assert b"/dev/pts/0\r\n33 91\r\nxterm\r\n" in session.output[1]
    session.send(0, b"sleep 600\n")
    machine.wait_for_processes(3)
    session.send(0, b"\x03")
    machine.wait_for_processes(2)
    session.send(0, b"exit 4\n")
    assert session.read_to_end() == 4
    machine.wait_for_processes(1)
    machine.client.signal("web", "KILL")


def test_its_own_process_has_a_terminal_that_outlives_the_supervisor(
    machine: Machine, open_session: Callable[[str], Session]
) -> None:
    machine.client.start(process(machine, "PS1='> ' exec sh -i", terminal=True, open_stdin=True))
    session = open_session("a1")
    machine.client.attach("a1", "web", stdin=True)
    session.send(0, b"tty; echo $TERM\n")
    session.read_until(b"/dev/pts/0\r\nxterm\r\n")
    machine.crash()
    machine.boot()
    again = open_session("a2")
    machine.client.attach("a2", "web", stdin=True)
    machine.client.resize("web", columns=97, rows=31)
    again.send(0, b"stty size\n")
    again.read_until(b"31 97\r\n")
    again.send(0, b"exit 3\n")
    # Before Linux 6.15 nobody can tell the code of another's child.
    assert again.read_to_end() in (3, 255)


def test_what_a_process_leaves_behind_is_collected(machine: Machine) -> None:
    """Of containers without an image too: whoever has no parent any more comes to the supervisor."""
    machine.start("for i in 1 2 3; do (setsid sh -c 'sleep 0.1' &); done; exec sleep 600", container="plain")
    machine.wait_for_processes(1)

    def zombies() -> list[str]:
        children = subprocess.run(
            ["ps", "-o", "stat=", "--ppid", str(machine.supervisor.pid)], capture_output=True, text=True
        ).stdout.split()
        return [state for state in children if state.startswith("Z")]

    wait_until(lambda: not zombies(), "no zombie is left")
    machine.client.signal("plain", "KILL")
    assert machine.wait_for_end("plain") == 128 + signal.SIGKILL


def test_remains_of_what_is_removed_while_nobody_is_told_are_swept(machine: Machine) -> None:
    for name in ("web", "old"):
        machine.client.start(process(machine, "echo here", container=name))
        machine.wait_for_end(name)
        machine.client.forget(name)
    machine.client.keep(["web"])
    state = machine.folder / "state"
    wait_until(
        lambda: [path.name for path in (state / "layers").iterdir()] == ["web"], "the other layer is gone"
    )
    assert [path.name for path in (state / "logs").iterdir()] == ["web.log"]


def test_a_root_that_is_not_to_be_trusted_is_looked_at_from_inside(machine: Machine, image: Path) -> None:
    (image / "etc/passwd").unlink()
    os.mkfifo(image / "etc/passwd")
    assert run(machine, "echo $HOME", user="1000") == "/\n"
    for text, name in (
        ("# \n" * (2 << 20) + "late:x:77:77:::\n", "late"),
        ("odd:x:" + "9" * 5000 + ":1:::\n", "odd"),
    ):
        (image / "etc/passwd").unlink()
        (image / "etc/passwd").write_text(text)
        with pytest.raises(SupervisorError, match=f"unable to find user {name}"):
            machine.client.start(process(machine, "id", user=name))
    shutil.rmtree(image / "etc")
    (image / "etc").symlink_to(machine.folder)
    (machine.folder / "passwd").write_text("spy:x:77:77:::\n")
    with pytest.raises(SupervisorError, match="unable to find user spy"):
        machine.client.start(process(machine, "id", user="spy"))
    assert not (machine.folder / "hosts").exists()


def test_it_cannot_reach_the_hosts_kernel(machine: Machine) -> None:
    printed = run(
        machine,
        "unshare -U true; mount -t tmpfs none /tmp; mknod /tmp/disk b 8 0; echo 1 > /proc/sys/kernel/panic;"
        "echo x > /sys/power/state",
    )
    assert printed.lower().count("permi") == 3
    assert printed.count("Read-only file system") == 2


def test_what_it_is_kept_from_is_all_that_is_promised(machine: Machine) -> None:
    masked = ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/sys/firmware")
    printed = run(
        machine,
        "grep -E '^(Seccomp|CapBnd|CapEff|CapPrm):' /proc/self/status;"
        f"for path in {' '.join(masked)}; do ls $path/* 2>/dev/null; head -c 1 $path 2>/dev/null; done",
    )
    told = dict(line.split(":\t") for line in printed.splitlines())
    assert told.pop("Seccomp") == "2"
    # Docker's fourteen (capabilities(7)) but CAP_MKNOD.
    assert {int(held, 16) for held in told.values()} == {0xA80425FB & ~(1 << 27)}
    linux = describe_container(Asked(["sh"], {}), Account(0, 0, (), "/"), Surroundings("h", ""))["linux"]
    # Not every kernel has all of them.
    assert set(linux["maskedPaths"]) >= set(masked)
    assert set(linux["readonlyPaths"]) >= {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"}


@pytest.mark.parametrize(
    ("what", "calls"),
    {
        "mounts": "mount umount umount2 move_mount open_tree fsopen fsmount fsconfig fspick mount_setattr pivot_root",
        "namespaces": "setns unshare",
        "code for the kernel": "init_module finit_module delete_module kexec_load kexec_file_load bpf",
        "tracing it": "perf_event_open lookup_dcookie userfaultfd",
        "keys": "add_key request_key keyctl",
        "files by number": "open_by_handle_at name_to_handle_at",
        "the machine": "reboot swapon swapoff acct ioperm iopl quotactl io_uring_setup io_uring_enter",
    }.items(),
)
def test_calls_are_refused_that_concern(what: str, calls: str) -> None:
    """With no capability for them they fail anyway, so that what the runtime is told is looked at."""
    asked = Asked(command=["sh"], env={})
    told = describe_container(asked, Account(0, 0, (), "/"), Surroundings("h", ""))["linux"]["seccomp"]
    refused = {
        name
        for rule in told["syscalls"]
        for name in rule["names"]
        if rule["action"] == "SCMP_ACT_ERRNO" and "args" not in rule
    }
    assert refused >= set(calls.split()), what
    flags = [rule["args"][0]["value"] for rule in told["syscalls"] if rule["names"] == ["clone"]]
    assert sum(flags) == 0x7E020000, "CLONE_NEW… (clone(2))"
