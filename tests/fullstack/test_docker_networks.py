"""`docker network …` and `docker events` of the unmodified client, over each way in."""

import json
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netadmin.certificates import make_certificate
from tests.docker import CLIENT, Docker
from tests.product import Product, find_free_port


@pytest.fixture(scope="module")
def product(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """One that other machines may join, and clients with certificates."""
    product = Product(tmp_path_factory.mktemp("state"))
    product.settings["NETADMIN_DOCKER_LISTEN"] = f"127.0.0.1:{find_free_port()}"
    product.settings["NETADMIN_BROKER_LISTEN"] = f"127.0.0.1:{find_free_port()}"
    product.start()
    yield product
    product.stop()
    left = product.kill_leftovers()
    product.run("host", "purge")
    assert left == []


@pytest.fixture(scope="module")
def docker(product: Product) -> Docker:
    docker = Docker(product)
    wait_for(lambda: docker.run("network", "ls").returncode == 0)
    return docker


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def sign_in(product: Product, folder: Path, host: str = "node1") -> Docker:
    folder.mkdir(exist_ok=True)
    token = product.do("token create docker")
    (folder / "config.json").write_text(json.dumps({"HttpHeaders": {"Authorization": f"Bearer {token}"}}))
    return Docker(product, address=f"tcp://{product.listen}/hosts/{host}", config=folder)


def test_a_network_lives_and_dies_by_dockers_own_commands(docker: Docker, product: Product) -> None:
    identity = docker.do("network create --subnet 172.25.0.0/16 --label team=x isolated_nw")
    assert product.inspect_network("isolated_nw")["Id"] == identity
    product.do("run -d --name container1 --net isolated_nw")
    product.do("run -d --name container2")
    assert docker.do("network connect --alias db --ip 172.25.3.3 isolated_nw container2") == ""
    (shown,) = json.loads(docker.do("network inspect isolated_nw"))
    assert {member["Name"]: member["IPv4Address"] for member in shown["Containers"].values()} == {
        "container1": "172.25.0.2/16",
        "container2": "172.25.3.3/16",
    }
    product.reaches("container1", "db", "172.25.3.3")
    assert docker.refuse("network connect isolated_nw container2") == (
        "endpoint with name container2 already exists in network isolated_nw"
    )
    assert "has active endpoints" in docker.refuse("network rm isolated_nw")
    for container in ("container1", "container2"):
        docker.do(f"network disconnect isolated_nw {container}")
    assert docker.do("network ls --filter label=team=x --format {{.Name}}") == "isolated_nw"
    assert docker.do("network rm isolated_nw") == "isolated_nw"
    assert docker.run("network", "inspect", "isolated_nw").returncode == 1
    for container in ("container1", "container2"):
        product.do(f"rm -f {container}")


def test_prune_and_the_words_of_refusals(docker: Docker) -> None:
    docker.do("network create --subnet 10.1.0.0/16 first")
    assert docker.refuse("network create --subnet 10.1.2.0/24 second") == (
        "invalid pool request: Pool overlaps with other one on this address space"
    )
    assert docker.refuse("network create first") == "network with name first already exists"
    assert docker.refuse("network rm bridge") == "bridge is a pre-defined network and cannot be removed"
    assert docker.do("network prune -f").split() == ["Deleted", "Networks:", "first"]


def test_events_are_told_as_they_happen_and_afterwards(docker: Docker, product: Product) -> None:
    form = "--filter type=network --format {{.Action}}:{{.Actor.Attributes.name}}"
    began = time.time()
    following = docker.start(f"events {form}")
    time.sleep(1.0)
    docker.do("network create lively")
    product.do("run -d --name c1 --net lively")
    docker.do("network disconnect lively c1")
    docker.do("network rm lively")
    assert following.stdout is not None
    told = [following.stdout.readline().strip() for _ in range(4)]
    following.terminate()
    following.wait(10)
    expected = ["create:lively", "connect:lively", "disconnect:lively", "destroy:lively"]
    assert told == expected
    assert docker.do(f"events --since {began:.3f} --until {time.time():.3f} {form}").splitlines() == expected
    product.do("rm -f c1")


def test_over_tcp_a_token_is_needed(docker: Docker, product: Product, tmp_path: Path) -> None:
    nobody = Docker(product, address=f"tcp://{product.listen}/hosts/node1")
    assert "sign in with a token" in nobody.refuse("network ls")
    assert "sign in with a token" in nobody.refuse("network create x")
    somebody = sign_in(product, tmp_path)
    somebody.do("network create remote")
    assert docker.do("network ls -q --filter name=^remote$") != ""
    somebody.do("network rm remote")


def show_certificate(product: Product, folder: Path) -> Docker:
    files = [
        f"--tls{what}={folder / file}" for what, file in (("cacert", "ca"), ("cert", "cert"), ("key", "key"))
    ]
    address = f"tcp://{product.settings['NETADMIN_DOCKER_LISTEN']}/hosts/node1"
    return Docker(product, address=address, arguments=("--tlsverify", *(f"{each}.pem" for each in files)))


def test_a_certificate_opens_the_engine_until_it_is_taken_back(product: Product, tmp_path: Path) -> None:
    identity = product.do(f"certificate create laptop {tmp_path / 'own'}")
    client = show_certificate(product, tmp_path / "own")
    assert stat.S_IMODE((tmp_path / "own" / "key.pem").stat().st_mode) == 0o600
    client.do("network create ciphered")
    client.do("run -d --name inside --network ciphered host sleep 60")
    # The client says that its input has ended, and waits for the output.
    sent = "".join(f"{number} and more of it\n" for number in range(50_000))
    assert client.run("exec", "-i", "inside", "cat", stdin=sent).stdout == sent
    assert client.run("exec", "-i", "inside", "wc", "-c", stdin="four").stdout == "4\n"
    assert client.run("exec", "inside", "sh", "-c", "echo told; exit 3").returncode == 3
    client.do("rm -f inside")
    options = ",".join(
        f"{key}={tmp_path}/own/{file}.pem" for key, file in (("ca", "ca"), ("cert", "cert"), ("key", "key"))
    )
    plain = Docker(product, config=tmp_path / "config")
    plain.do(f"context create far --docker host={client.host},{options}")
    there = subprocess.run(
        [*product.prefix, CLIENT, "--config", tmp_path / "config", "--context", "far", "network", "ls", "-q"],
        env=plain.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert client.do("network ls -q --filter name=ciphered") in there.stdout.split()
    client.do("network rm ciphered")
    product.do(f"certificate rm {identity}")
    assert client.refuse("network ls") == "unauthorized: The certificate has been taken back."


def test_without_a_certificate_of_ours_nobody_is_heard(product: Product, tmp_path: Path) -> None:
    product.do(f"certificate create laptop {tmp_path / 'own'}")
    strange = make_certificate(tmp_path / "strange", "127.0.0.1")
    for target, source in (("cert.pem", strange.certificate), ("key.pem", strange.key)):
        (tmp_path / "own" / target).write_bytes(source.read_bytes())
    assert show_certificate(product, tmp_path / "own").run("network", "ls").returncode == 1
    bare = Docker(product, address=f"tcp://{product.settings['NETADMIN_DOCKER_LISTEN']}/hosts/node1")
    assert bare.run("network", "ls").returncode == 1
    assert bare.run("--tls", "network", "ls").returncode != 0
    # Not by an answer to what was asked: nothing that is asked is read.
    host, _, port = product.settings["NETADMIN_DOCKER_LISTEN"].rpartition(":")
    context = ssl.create_default_context(cafile=tmp_path / "own" / "ca.pem")
    with (
        socket.create_connection((host, int(port)), timeout=30) as raw,
        pytest.raises((ssl.SSLError, ConnectionResetError)),
        context.wrap_socket(raw, server_hostname=host) as connection,
    ):
        connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.recv(1)


def test_each_host_has_its_socket_while_it_is_one(docker: Docker, product: Product, tmp_path: Path) -> None:
    own = product.state_dir / "docker" / "node1.sock"
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    product.do_quietly("host add node2")
    other = own.with_name("node2.sock")
    wait_for(other.exists)
    assert stat.S_IMODE(other.stat().st_mode) == 0o600
    there = Docker(product, address=f"unix://{other}")
    assert there.do("info --format {{.Name}}") == "node2"
    assert sign_in(product, tmp_path, "node2").do("info --format {{.Name}}") == "node2"
    product.do_quietly("host rm node2")
    wait_for(lambda: not other.exists())


def test_an_upgrade_that_nobody_wants_is_answered_like_any_request(product: Product) -> None:
    """The connection is kept for what follows it, whichever of the two parsers has it."""
    address, port = product.listen.split(":")
    with socket.create_connection((address, int(port)), timeout=10) as connection:
        for path in ("/hosts/node1/v1.44/exec/nosuch/start", "/api/v1/networks/", "/hosts/node1/_ping"):
            method = "POST" if "exec" in path else "GET"
            body = '{"Detach": false}' if method == "POST" else ""
            connection.sendall(
                f"{method} {path} HTTP/1.1\r\nHost: {product.listen}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            assert b" 40" in read_reply(connection)


def read_reply(connection: socket.socket) -> bytes:
    """Head and body of one response."""
    reply = b""
    while b"\r\n\r\n" not in reply:
        reply += connection.recv(65536)
    head, _, body = reply.partition(b"\r\n\r\n")
    length = next(
        int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head
