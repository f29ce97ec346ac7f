"""A support bundle hides what is secret by its text and by its looks, each by itself."""

import json
from pathlib import Path

import pytest

from netadmin.cli.redaction import HIDDEN, Redactor, find_secrets, show_settings
from netadmin.cli.support import TAIL, read_logs

KNOWN = 'corr"ect/horse'


@pytest.mark.parametrize(
    "text", [f"it was {KNOWN}.", json.dumps({"x": KNOWN}), f"{KNOWN}{KNOWN}", f"{KNOWN} battery"]
)
def test_a_known_secret_is_hidden_wherever_it_stands(text: str) -> None:
    cleaned = Redactor([KNOWN, f"{KNOWN} battery", "abc"]).clean(text)
    assert HIDDEN in cleaned
    assert not {"horse", "battery"} & set(cleaned.replace("(", " ").split())
    assert KNOWN not in cleaned and json.dumps(KNOWN)[1:-1] not in cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (f"token nad_{'0' * 16}.abc-_d said", f"token {HIDDEN} said"),
        ("join --token naj_12.xyz", f"join --token {HIDDEN}"),
        ("redis://host.a:pw%2F@192.0.2.1/0", f"redis://{HIDDEN}@192.0.2.1/0"),
        ("Authorization: Bearer xyz", f"Authorization: Bearer {HIDDEN}"),
        ("a\n-----BEGIN EC PRIVATE KEY-----\nxyz\n-----END EC PRIVATE KEY-----\nb", f"a\n{HIDDEN}\nb"),
        ("-----BEGIN PRIVATE KEY-----\nxyz", HIDDEN),
        ('{"password": "xy z", "a": 1}', f'{{"password": "{HIDDEN}", "a": 1}}'),
        ("sessionid=xyz; csrftoken=zyx; a=1", f"sessionid={HIDDEN}; csrftoken={HIDDEN}; a=1"),
        ("nothing to hide: 10.0.0.1 at 12:00", "nothing to hide: 10.0.0.1 at 12:00"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, cleaned: str) -> None:
    assert Redactor([]).clean(text) == cleaned


def test_secrets_are_those_of_settings_and_of_the_state_directory(tmp_path: Path) -> None:
    variables = {
        "NETADMIN_ADMIN_PASSWORD": "one",
        "DATABASE_URL": "postgres://user:tw%2Fo@192.0.2.1:5432/name",
        "NETADMIN_PUBLIC_URL": "https://net.example",
    }
    (tmp_path / "secret_key").write_text("three\n")
    (tmp_path / "redis_password").write_text("four\n")
    for host, text in (("a", '{"key": "five", "redis_url": "rediss://host.a:six@192.0.2.1"}'), ("b", "{")):
        (tmp_path / "hosts" / host).mkdir(parents=True)
        (tmp_path / "hosts" / host / "worker.json").write_text(text)
    found = find_secrets(tmp_path, variables)
    assert found == {"one", "tw%2Fo", "tw/o", "three", "four", "five", "six"}
    assert show_settings({**variables, "PATH": "/bin"}) == {
        "DATABASE_URL": "postgres://192.0.2.1:5432/name",
        "NETADMIN_ADMIN_PASSWORD": "(set)",
        "NETADMIN_PUBLIC_URL": "https://net.example",
    }


def test_of_a_long_log_no_line_is_taken_in_half(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    lines = [f"{number:06d} token nad_{'0' * 16}.canary\n" for number in range(TAIL // 40)]
    (tmp_path / "log" / "web.log").write_text("".join(lines))
    (tmp_path / "log" / "names.log").write_text("short\n")
    read = dict(read_logs(tmp_path))
    assert read["log/names.log"] == "short\n"
    assert 0 < len(read["log/web.log"]) <= TAIL < sum(map(len, lines))
    assert set(read["log/web.log"].splitlines(keepends=True)) <= set(lines)
