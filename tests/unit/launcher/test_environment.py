"""Settings: what is read, what follows from it, and what a wrong value is told."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from netadmin.addresses import list_addresses
from netadmin.environment import Environment, Misconfigured


def test_without_any_variable_everything_is_embedded_and_local() -> None:
    environment = Environment.read({})
    assert environment.listen_address == ("127.0.0.1", 8000)
    assert environment.database is None
    assert environment.broker_url == "redis+socket:///var/lib/netadmin/redis/redis.sock"
    assert environment.channel_url == "unix:///var/lib/netadmin/redis/redis.sock"
    assert environment.admin_password is None
    assert not environment.debug
    assert (environment.docker_dir, environment.docker_address) == (None, None)


def test_an_empty_variable_is_as_good_as_none() -> None:
    names = ("NETADMIN_STATE_DIR", "NETADMIN_LISTEN", "NETADMIN_ADMIN_PASSWORD", "DATABASE_URL", "REDIS_URL")
    assert Environment.read(dict.fromkeys(names, "")) == Environment.read({})


def test_an_outside_redis_is_spelled_the_same_for_both_libraries() -> None:
    environment = Environment.read({"REDIS_URL": "rediss://:secret@redis.example:6380/1"})
    assert environment.broker_url == environment.channel_url == "rediss://:secret@redis.example:6380/1"


def test_a_database_url_may_hold_what_has_to_be_encoded() -> None:
    url = "postgresql://net%40admin:p%2Fw@%2Fvar%2Frun%2Fpostgresql:5433/netadmin"
    assert Environment.read({"DATABASE_URL": url}).database == {
        "NAME": "netadmin",
        "USER": "net@admin",
        "PASSWORD": "p/w",
        "HOST": "/var/run/postgresql",
        "PORT": 5433,
    }


def test_an_ipv6_address_to_listen_on_goes_in_brackets() -> None:
    assert Environment.read({"NETADMIN_LISTEN": "[::1]:8443"}).listen_address == ("::1", 8443)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NETADMIN_STATE_DIR", "state"),
        ("NETADMIN_STATE_DIR", "/var/lib/" + "n" * 90),
        ("NETADMIN_LISTEN", "8000"),
        ("NETADMIN_LISTEN", "127.0.0.1"),
        ("NETADMIN_LISTEN", "127.0.0.1:0"),
        ("NETADMIN_LISTEN", "127.0.0.1:65536"),
        ("NETADMIN_LISTEN", "127.0.0.1:http"),
        ("NETADMIN_HOST_NAME", "../etc"),
        ("NETADMIN_HOST_NAME", "-node"),
        ("NETADMIN_HOST_NAME", "node 1"),
        ("DATABASE_URL", "mysql://localhost/netadmin"),
        ("DATABASE_URL", "postgresql://localhost"),
        ("DATABASE_URL", "postgresql://localhost:port/netadmin"),
        ("DATABASE_URL", "postgresql://[localhost/netadmin"),
        ("NETADMIN_DOCKER_LISTEN", "2376"),
        ("NETADMIN_DOCKER_SOCKETS", "docker"),
        ("NETADMIN_DOCKER_GROUP", "root"),
        ("NETADMIN_PROXIES", "proxy.example"),
        ("NETADMIN_PROXIES", "10.0.0.1/8"),
        ("NETADMIN_SESSION_HOURS", "0"),
        ("NETADMIN_SESSION_HOURS", "long"),
        ("NETADMIN_TOKEN_DAYS", "nan"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "redis://localhost:port"),
    ],
)
def test_a_wrong_value_is_told_in_one_sentence_that_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        Environment.read(
            {name: value, **({"NETADMIN_HOST_NAME": "node1"} if name != "NETADMIN_HOST_NAME" else {})}
        )
    text = str(raised.value)
    assert text.startswith(name)
    assert text.endswith(".")
    assert "\n" not in text


def test_the_secret_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    variables = {"NETADMIN_STATE_DIR": str(tmp_path / "state")}
    first = Environment.read(variables).secret_key
    assert Environment.read(variables).secret_key == first
    assert len(first) >= 50
    assert stat.S_IMODE((tmp_path / "state" / "secret_key").stat().st_mode) == 0o600
    assert os.listdir(tmp_path / "state") == ["secret_key"]


def test_processes_that_start_at_once_agree_on_the_secret_key(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from netadmin.environment import *; print(Environment.read().secret_key)",
    ]
    variables = {**os.environ, "NETADMIN_STATE_DIR": str(tmp_path), "NETADMIN_HOST_NAME": "node1"}
    running = [subprocess.Popen(command, env=variables, stdout=subprocess.PIPE) for _ in range(4)]
    assert len({process.communicate()[0] for process in running}) == 1


def test_a_server_knows_itself_by_its_addresses_and_by_the_names_that_it_is_given() -> None:
    given = {
        "NETADMIN_HOST_NAME": "node1",
        "NETADMIN_PUBLIC_URL": "https://Net.example:8443",
        "NETADMIN_ALLOWED_HOSTS": "a.example, b.example",
    }
    local = ["localhost", "127.0.0.1", "[::1]"]
    assert Environment.read(given).names == [*local, "node1", "net.example", "a.example", "b.example"]
    outside = Environment.read({"NETADMIN_LISTEN": "192.0.2.7:80"}).names
    assert "192.0.2.7" in outside and "*" not in outside
    everywhere = Environment.read({"NETADMIN_LISTEN": "[::]:80"}).names
    assert {"127.0.0.1", "[::1]"} <= set(everywhere) and "*" not in everywhere


def test_all_addresses_of_the_machine_are_found() -> None:
    shown = json.loads(subprocess.run(["ip", "-json", "address"], capture_output=True, check=True).stdout)
    by_ip = {each["local"] for link in shown for each in link["addr_info"] if each["scope"] != "link"}
    assert set(list_addresses()) == by_ip
