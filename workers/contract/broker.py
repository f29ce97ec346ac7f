"""The broker as server and hosts use it: queues, keys and channels, and what a host's login may do. Pure.

Names of hosts have letters, digits, `-` and `.` only, so that none of them is a pattern, and `:` ends them.
"""

import hashlib
from urllib.parse import quote

SERVER_QUEUE = "server"


def queue_of(host: str) -> str:
    return f"host.{host}"


def answer_key(host: str, question: str) -> str:
    """The list to which the host gives its one answer."""
    return f"netadmin:answer:{host}:{question}"


def transfer_key(host: str, transfer: str) -> str:
    """The list from which the host takes the pieces of something large; see `workers.contract.transfers`."""
    return f"netadmin:transfer:{host}:{transfer}"


def credit_key(host: str, transfer: str) -> str:
    """The list to which the host gives one word for each piece that it is ready for."""
    return f"netadmin:answer:{host}:{transfer}.credit"


def spell_for_kombu(redis_url: str) -> str:
    """A URL as redis-py spells it, as kombu does."""
    return (
        f"redis+socket://{redis_url.removeprefix('unix://')}"
        if redis_url.startswith("unix://")
        else redis_url
    )


def with_authority(redis_url: str, path: str) -> str:
    """The URL of a broker whose certificate must be signed by the authority in that file."""
    return f"{redis_url}?ssl_cert_reqs=required&ssl_ca_certs={quote(path, safe='/')}"


def name_login(host: str) -> str:
    return f"host.{host}"


def describe_login(host: str, password: str) -> list[str]:
    """The rules of a host's login, as ACL SETUSER takes them (Redis 7, https://redis.io/docs/latest, "ACL").

    It takes from its own queue and transfers, and speaks on its own channels; reports and answers it can only add, in
    selectors of their own. A worker that is not updated yet keeps what it has taken in `netadmin:unacked`.
    """
    return [
        "reset",
        "on",
        f"#{hashlib.sha256(password.encode()).hexdigest()}",
        f"~{queue_of(host)}",
        f"~netadmin:unacked:{host}:*",
        f"~netadmin:transfer:{host}:*",
        f"&netadmin:stream:{host}:*",
        *(f"+{command}" for command in COMMANDS),
        f"(%W~{SERVER_QUEUE} +lpush)",
        f"(%W~netadmin:answer:{host}:* +lpush +expire)",
    ]


COMMANDS = (
    *("ping", "hello", "select", "client|setname"),
    *("brpop", "lpush", "rpush", "llen"),
    *("get", "set", "del", "hset", "hget", "hdel", "zadd", "zrem", "zrange", "zrevrangebyscore"),
    *("multi", "exec", "discard", "watch", "unwatch", "evalsha", "script|load"),
    *("subscribe", "unsubscribe", "publish"),
)
"""What kombu's worker, redis-py and the streams of sessions need."""
