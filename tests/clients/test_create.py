"""`docker run` of the unmodified client: what a container is given it has, and what it would not get is refused."""

import pytest

import docker as sdk
from tests.docker import Docker


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("--cap-drop ALL", "CapDrop"),
        ("--security-opt no-new-privileges", "SecurityOpt"),
        ("--read-only", "ReadonlyRootfs"),
        ("--pid container:other", "PidMode"),
        ("--ipc private", "IpcMode"),
        ("--memory 64m", "Memory"),
        ("--pids-limit 10", "PidsLimit"),
        ("--ulimit nofile=64", "Ulimits"),
        ("--tmpfs /run", "Tmpfs"),
    ],
)
def test_a_confinement_that_is_not_here_is_refused(docker: Docker, option: str, field: str) -> None:
    said = docker.refuse(f"run -d --name confined {option} host sleep 9")
    assert f"leave {field} out" in said
    assert docker.do("ps -aq") == ""


def test_resolver_hosts_and_sysctls_are_the_containers(docker: Docker) -> None:
    docker.do("network create lab")
    docker.do(
        "run -d --name one --network lab --dns 192.0.2.53 --dns-search example.test --dns-option timeout:1 "
        "--add-host printer:192.0.2.9 --sysctl net.ipv4.ip_forward=1 --sysctl net.ipv4.conf.default.log_martians=1 "
        "host sleep 60"
    )
    resolver = docker.do("exec one cat /etc/resolv.conf").splitlines()
    assert {"nameserver 127.0.0.11", "search example.test", "options timeout:1 ndots:0"} <= set(resolver)
    assert "192.0.2.9\tprinter" in docker.do("exec one cat /etc/hosts").splitlines()
    paths = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/conf/eth0/log_martians"]
    assert docker.do("exec one cat " + " ".join(paths)) == "1\n1"
    assert docker.do("inspect -f {{.HostConfig.Dns}}{{.HostConfig.Sysctls}} one") == (
        "[192.0.2.53]map[net.ipv4.conf.default.log_martians:1 net.ipv4.ip_forward:1]"
    )
    docker.do("rm -f one")


def test_a_sysctl_that_the_kernel_has_not_keeps_the_command_from_running(docker: Docker) -> None:
    said = docker.refuse("run -d --name two --sysctl net.ipv4.nosuch=1 host sleep 60")
    assert "The sysctl net.ipv4.nosuch of the container cannot be set to '1'" in said
    docker.do("rm -f two")


def test_what_is_so_anyway_may_be_asked_for(docker: Docker) -> None:
    docker.do("run -d --name three --pid host --ipc host -u root -w / host sleep 60")
    assert docker.do("inspect -f {{.HostConfig.PidMode}}{{.HostConfig.IpcMode}} three") == "hosthost"
    assert docker.do("exec -u 0 -w / three id -u") == "0"
    assert "leave user and working directory out" in docker.refuse("exec -u nobody three id")
    docker.do("rm -f three")


def test_what_inspect_shows_may_be_sent_back(docker: Docker) -> None:
    client = sdk.DockerClient(base_url=docker.host)
    docker.do("create --name four --dns 192.0.2.53 -p 127.0.0.1:7070:70 host sleep 60")
    shown = client.api.inspect_container("four")
    wanted = {**shown["Config"], "HostConfig": shown["HostConfig"]}
    wanted["NetworkingConfig"] = {"EndpointsConfig": shown["NetworkSettings"]["Networks"]}
    made = client.api._post_json(client.api._url("/containers/create"), data=wanted, params={"name": "five"})
    assert made.status_code == 201, made.text
    again = client.api.inspect_container("five")
    assert again["HostConfig"] == shown["HostConfig"]
    assert again["Config"] == {**shown["Config"], "Hostname": again["Config"]["Hostname"]}
    client.close()
    docker.do("rm four five")
