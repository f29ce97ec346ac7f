"""The host's end of a transfer: see `workers.contract.transfers`."""

import hashlib
import json
from pathlib import Path
from typing import cast

import redis

from workers.contract import transfers
from workers.contract.broker import credit_key, transfer_key
from workers.contract.envelope import Refused, unseal
from workers.images.errors import ImageError


class Source:
    """Where transfers to this host come from."""

    def __init__(self, client: redis.Redis, host: str, key: str) -> None:
        self._client, self._host, self._key = client, host, key

    def receive(self, transfer: str, target: Path) -> None:
        """Write what is sent to a new file. Raises ImageError, redis.RedisError, OSError."""
        digest, size = hashlib.sha256(), 0
        self._ask(transfer, transfers.WINDOW)
        with open(target, "xb") as file:
            target.chmod(0o600)
            while (piece := self._take(transfer))[:1] == transfers.DATA:
                size += len(piece) - 1
                if size > transfers.LIMIT:
                    raise ImageError(f"The archive is larger than {transfers.LIMIT >> 30} GiB.")
                digest.update(memoryview(piece)[1:])
                file.write(memoryview(piece)[1:])
                self._ask(transfer, 1)
        if piece[:1] != transfers.END:
            raise ImageError("The archive did not come to its end; send it again.")
        try:
            end = unseal(
                json.loads(piece[1:]), transfers.End, host=self._host, key=self._key, direction="to-host"
            )
        except (Refused, ValueError) as error:
            raise ImageError(f"The archive is refused: {error}.") from error
        if (end.transfer, end.size, end.sha256) != (transfer, size, digest.hexdigest()):
            raise ImageError("The archive was changed on its way; send it again.")

    def _ask(self, transfer: str, pieces: int) -> None:
        key = credit_key(self._host, transfer)
        with self._client.pipeline() as pipe:
            for _ in range(pieces):
                pipe.lpush(key, b"1")
            pipe.expire(key, int(2 * transfers.PATIENCE))
            pipe.execute()

    def _take(self, transfer: str) -> bytes:
        found = self._client.brpop([transfer_key(self._host, transfer)], timeout=transfers.PATIENCE)
        if found is None:
            raise ImageError("The rest of the archive did not come; send it again.")
        return cast(bytes, found[1])
