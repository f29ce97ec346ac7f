"""The Docker SDK for Python, unmodified: containers, as far as networks need them."""

import time
from collections.abc import Iterator

import pytest
from docker.errors import APIError, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.types import EndpointConfig

import docker as sdk
from tests.docker import Docker
from tests.product import Product


@pytest.fixture(scope="module")
def client(docker: Docker) -> Iterator[sdk.DockerClient]:
    client = sdk.DockerClient(base_url=docker.host)
    yield client
    client.close()


@pytest.fixture(autouse=True)
def tidy(client: sdk.DockerClient) -> Iterator[None]:
    yield
    for container in client.containers.list(all=True):
        container.remove(force=True)
    client.networks.prune()


def run(client: sdk.DockerClient, name: str, *command: str, **wanted: object) -> Container:
    return client.containers.run("host", list(command) or None, name=name, detach=True, **wanted)


def test_a_container_lives_from_run_to_remove(client: sdk.DockerClient) -> None:
    container = run(client, "job", "sleep", "1000", labels={"team": "blue"}, environment={"A": "1"})
    assert (container.name, container.status, container.labels) == ("job", "created", {"team": "blue"})
    container.reload()
    assert (container.status, container.attrs["Config"]["Env"]) == ("running", ["A=1"])
    assert client.containers.list(filters={"label": "team=blue"}) == [container]
    container.stop(timeout=1)
    container.reload()
    assert container.status == "exited"
    assert client.containers.list() == [] and client.containers.list(all=True) == [container]
    container.start()
    container.rename("work")
    assert client.containers.get("work") == container
    container.restart(timeout=0)
    with pytest.raises(APIError, match="container is running") as refused:
        container.remove()
    assert refused.value.status_code == 409
    container.remove(force=True)
    with pytest.raises(NotFound, match="No such container"):
        client.containers.get("work")


def test_the_end_of_a_process_is_waited_for_and_its_words_are_kept(client: sdk.DockerClient) -> None:
    container = run(client, "job", "sh", "-c", "echo one; sleep 0.5; echo two; exit 5")
    assert list(container.logs(stream=True, follow=True)) != []
    assert container.wait() == {"StatusCode": 5}
    assert container.logs() == b"one\ntwo\n"
    assert container.logs(tail=1) == b"two\n"
    with pytest.raises(APIError, match="at least one stream"):
        container.logs(stdout=False, stderr=False)


def test_logs_are_followed_while_the_process_speaks(client: sdk.DockerClient) -> None:
    container = run(client, "job", "sh", "-c", "echo first; sleep 1; echo second; sleep 1000")
    lines = container.logs(stream=True, follow=True)
    began = time.monotonic()
    text = b""
    while b"second" not in text:
        text += next(lines)
    assert text == b"first\nsecond\n" and time.monotonic() - began < 10
    lines.close()


def test_it_is_on_several_networks_from_the_start(client: sdk.DockerClient, product: Product) -> None:
    pool = sdk.types.IPAMPool(subnet="10.3.0.0/16")
    client.networks.create("one", ipam=sdk.types.IPAMConfig(pool_configs=[pool]))
    client.networks.create("two")
    wanted = {
        "one": EndpointConfig("1.51", ipv4_address="10.3.4.5", aliases=["web"]),
        "two": EndpointConfig("1.51", links={"other": "peer"}),
    }
    container = run(client, "both", network="one", networking_config=wanted)
    run(client, "other", network="two")
    container.reload()
    networks = container.attrs["NetworkSettings"]["Networks"]
    assert set(networks) == {"one", "two"}
    assert (networks["one"]["IPAddress"], networks["one"]["Aliases"]) == ("10.3.4.5", ["web"])
    product.reaches("both", "peer", product.inspect_attachments("other")["two"]["IPAddress"])
    assert client.networks.get("one").containers == [container]


def test_host_and_none_are_modes_of_their_own(client: sdk.DockerClient) -> None:
    for mode in ("host", "none"):
        container = run(client, f"in-{mode}", network_mode=mode)
        container.reload()
        assert container.attrs["HostConfig"]["NetworkMode"] == mode
        assert list(container.attrs["NetworkSettings"]["Networks"]) == [mode]


def test_the_host_itself_is_an_image(client: sdk.DockerClient) -> None:
    (image,) = client.images.list()
    assert image.tags == ["host:latest"] and client.images.get("host") == image
    assert run(client, "any").image == image
    with pytest.raises(ImageNotFound, match="No such image: busybox:latest"):
        client.containers.create("busybox")


def test_prune_and_events_tell_of_containers(client: sdk.DockerClient) -> None:
    began = int(time.time())
    container = run(client, "short", "true")
    container.wait()
    deadline = time.monotonic() + 10
    while (pruned := client.containers.prune())["ContainersDeleted"] is None:
        assert time.monotonic() < deadline
    assert pruned["ContainersDeleted"] == [container.id]
    told = client.events(decode=True, since=began, until=int(time.time()) + 1, filters={"type": "container"})
    actions = [event["Action"] for event in told if event["Actor"]["ID"] == container.id]
    assert actions == ["create", "start", "die", "destroy"]
