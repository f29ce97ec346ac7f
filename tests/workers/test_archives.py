"""Archives of images that nobody in their right mind has made: refused in a sentence, and nothing of them is left."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.redis_server import run_redis
from workers.contract import transfers
from workers.contract.broker import transfer_key
from workers.contract.envelope import seal
from workers.images import apart
from workers.images.apart import Unusable
from workers.images.errors import ImageError
from workers.images.store import Image, Store
from workers.images.transfer import Source
from workers.images.unpack import Layer

LAYER = {"a": b"x"}
END = bytes(1024)
Build = Callable[[], bytes]


def tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = size, kind
    return entry.tobuf(tarfile.USTAR_FORMAT)


def document(**fields: str) -> bytes:
    """An image's JSON, of fields that are JSON already."""
    digest = hashlib.sha256(tar(LAYER)).hexdigest()
    given = {"rootfs": f'{{"type":"layers","diff_ids":["sha256:{digest}"]}}', **fields}
    return f"{{{','.join(f'{json.dumps(name)}:{value}' for name, value in given.items())}}}".encode()


def saved(config: bytes, manifest: Any = None) -> bytes:
    listed = manifest or [{"Config": "c.json", "RepoTags": ["t:1"], "Layers": ["l.tar"]}]
    return tar({"c.json": config, "l.tar": tar(LAYER), "manifest.json": json.dumps(listed).encode()})


def pax(name: str, value: str) -> bytes:
    record = f" {name}={value}\n"
    length = next(n for n in range(1, 99) if n == len(str(n)) + len(record))
    return header("p", length, tarfile.XHDTYPE) + f"{length}{record}".encode().ljust(512, b"\0")


HOSTILE: dict[str, tuple[Build, str]] = {
    "no number": (lambda: saved(document(x="NaN")), "own JSON is not as it has to be"),
    "a number without an end": (lambda: saved(document(x="1e999")), "own JSON is not as it has to be"),
    "half a character": (lambda: saved(document(x='"\\ud800"')), "own JSON is not as it has to be"),
    "nested": (lambda: saved(document(x="[" * 300 + "]" * 300)), "nested more deeply"),
    "nested without an end": (lambda: saved(document(x="[" * 9000 + "]" * 9000)), "own JSON is not as it"),
    "a list as config": (lambda: saved(document(config="[1]")), "at `$.config`"),
    "numbers as words": (lambda: saved(document(config='{"Cmd":[1]}')), "at `$.config.Cmd[0]`"),
    "a number as labels": (lambda: saved(document(config='{"Labels":3}')), "at `$.config.Labels`"),
    "a number as a time": (lambda: saved(document(created="5")), "at `$.created`"),
    "no object": (lambda: saved(b"[]"), "own JSON is not as it has to be"),
    "no layers": (lambda: saved(b"{}"), "missing required field `rootfs`"),
    "a large document": (lambda: saved(document(x=f'"{"x" * (1 << 20)}"')), "c.json is too large"),
    "other digests": (lambda: saved(document(rootfs='{"diff_ids":[]}')), "not what its image says"),
    "a list of numbers": (lambda: saved(document(), [1]), "no archive of `docker save`"),
    "a number as a name": (
        lambda: saved(document(), [{"Config": "c.json", "RepoTags": [5], "Layers": ["l.tar"]}]),
        "no archive of `docker save`",
    ),
    "a path as a name": (
        lambda: saved(document(), [{"Config": "c.json", "RepoTags": ["../x:1"], "Layers": ["l.tar"]}]),
        "invalid reference format",
    ),
    "one image many times": (
        lambda: saved(document(), [{"Config": "c.json", "Layers": ["l.tar"]}] * 101),
        "at most 100 images",
    ),
    "many layers": (
        lambda: saved(document(), [{"Config": "c.json", "Layers": ["l.tar"] * 501}]),
        "of 500 layers",
    ),
    "many files": (lambda: gzip.compress(header("x") * 100_001 + END, 1), "more than 100000 files"),
    "a header without an end": (
        lambda: header("p", 1 << 30, tarfile.XHDTYPE) + bytes(4096),
        "header of more",
    ),
    "a name without an end": (
        lambda: header("p", 1 << 30, tarfile.GNUTYPE_LONGNAME) + bytes(4096),
        "header of more",
    ),
    "a size that leads back": (lambda: pax("size", "-1024") + header("f") + END, "negative size"),
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "images")


def bring(store: Store, data: bytes) -> Path:
    path = store.incoming()
    path.write_bytes(data)
    return path


def left(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "images").iterdir() if path.name.startswith("draft-"))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_in_a_sentence_and_leaves_nothing(
    store: Store, tmp_path: Path, name: str
) -> None:
    build, sentence = HOSTILE[name]
    path = bring(store, build())
    with pytest.raises(ImageError, match=sentence.replace("$", r"\$").replace("[", r"\[")) as refused:
        store.load(path)
    assert refused.value.code == 400
    assert store.list_all() == []
    assert left(tmp_path) == [path.name]


@pytest.mark.parametrize(
    "name", ["a header without an end", "a name without an end", "a size that leads back"]
)
def test_so_it_is_with_a_root_file_system(store: Store, tmp_path: Path, name: str) -> None:
    build, sentence = HOSTILE[name]
    path = bring(store, build())
    with pytest.raises(ImageError, match=sentence):
        store.take_root(path, "x", [], "")
    assert left(tmp_path) == [path.name]


def nested() -> bytes:
    """Folders, each in the one before, to where a path ends (PATH_MAX)."""
    folders = (header("/".join("a" * depth), kind=tarfile.DIRTYPE) for depth in range(1, 100))
    # Further down by a link: the library makes no folder in more than some hundred that are missing.
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for depth in range(100, 1950):
            entry = tarfile.TarInfo("/".join("a" * depth))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
    return b"".join(folders) + packed.getvalue()


def test_folders_of_any_depth_are_taken_and_go_again(store: Store, tmp_path: Path) -> None:
    image = store.take_root(bring(store, nested()), "deep", [], "")
    assert [each.kind for each in store.remove(image.id, [], force=True)] == ["Untagged", "Deleted"]
    with pytest.raises(ImageError, match="no tar archive"):
        store.take_root(bring(store, nested()[:-10240] + b"nonsense" * 2000), "deep", [], "")
    assert [name for name in left(tmp_path) if not name.endswith(".tar")] == []


def link(name: str, kind: bytes, target: str) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry.tobuf(tarfile.USTAR_FORMAT)


def test_links_are_made_inside_and_to_what_is_there(store: Store, tmp_path: Path) -> None:
    symbolic = link("s", tarfile.SYMTYPE, "/nowhere")
    packed = symbolic + header("f") + link("d/h", tarfile.LNKTYPE, "s") + link("g", tarfile.LNKTYPE, "../f")
    root = tmp_path / "images" / store.take_root(bring(store, packed + END), "x", [], "").id / "root"
    assert (root / "d" / "h").readlink() == Path("/nowhere")
    assert (root / "d" / "h").lstat().st_ino == (root / "s").lstat().st_ino
    assert (root / "g").samefile(root / "f")
    with pytest.raises(ImageError, match="links /h to /etc/passwd, which is not in it"):
        store.take_root(bring(store, link("h", tarfile.LNKTYPE, "../../etc/passwd") + END), "y", [], "")


def test_devices_are_left_out(store: Store, tmp_path: Path) -> None:
    devices = header("sda", kind=tarfile.BLKTYPE) + header("null", kind=tarfile.CHRTYPE)
    id = store.take_root(bring(store, devices + header("f") + END), "x", [], "").id
    assert [path.name for path in (tmp_path / "images" / id / "root").iterdir()] == ["f"]


SENT, KEY = b"an archive", "5" * 64


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, None),
        ({"data": b"an ARCHIVE"}, "was changed on its way"),
        ({"data": SENT + b"more"}, "was changed on its way"),
        ({"transfer": "another"}, "was changed on its way"),
        ({"key": "6" * 64}, "is refused"),
        ({"host": "node2"}, "is refused"),
        ({"direction": "to-server"}, "is refused"),
        ({"end": transfers.GIVEN_UP}, "did not come to its end"),
    ],
)
def test_an_archive_is_what_the_server_has_signed(
    tmp_path: Path, changed: dict[str, Any], sentence: str | None
) -> None:
    given: dict[str, Any] = {
        "data": SENT,
        "transfer": "t",
        "key": KEY,
        "host": "node1",
        "direction": "to-host",
    }
    given |= changed
    end = transfers.End(transfer=given["transfer"], size=len(SENT), sha256=hashlib.sha256(SENT).hexdigest())
    sealed = seal(end, host=given["host"], key=given["key"], direction=given["direction"])
    last = given.get("end") or transfers.END + json.dumps(sealed).encode()
    with run_redis(tmp_path) as url, redis.Redis.from_url(url) as client:
        client.lpush(transfer_key("node1", "t"), transfers.DATA + given["data"], last)
        source = Source(client, "node1", KEY)
        if sentence is None:
            source.receive("t", tmp_path / "archive")
            assert (tmp_path / "archive").read_bytes() == SENT
        else:
            with pytest.raises(ImageError, match=sentence):
                source.receive("t", tmp_path / "archive")


def test_a_damaged_image_hides_no_other(store: Store, tmp_path: Path) -> None:
    images = [store.take_root(bring(store, tar({name: b""})), name, [], "") for name in ("a", "b")]
    (tmp_path / "images" / images[0].id / "document.json").write_text('{"x": NaN}')
    assert store.list_all() == [Image(*store.find("b"))]


def test_what_a_change_says_is_looked_at_like_what_an_archive_brings(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="own JSON is not as it has to be"):
        store.take_root(bring(store, tar(LAYER)), "x", ['CMD ["\\ud800"]'], "")
    assert not any(path.is_dir() for path in (tmp_path / "images").iterdir())


def test_who_reads_an_archive_has_an_end_in_memory_and_time(store: Store, monkeypatch: Any) -> None:
    path = bring(store, tar(LAYER))
    for limits, sentence in (
        ("apart.MEMORY = 1 << 26; work = lambda: {'x': len(bytes(1 << 27))}", "more memory"),
        ("apart.SECONDS = 1; work = lambda: [0 for _ in iter(int, 1)]", "longer to read"),
    ):
        module = path.parent / "endless.py"
        module.write_text(f"from workers.images import apart\n{limits}\napart.tell(work, 'x')\n")
        monkeypatch.setenv("PYTHONPATH", f"{path.parent}:{Path(__file__).parents[2]}")
        with pytest.raises(ImageError, match=sentence):
            apart.run("endless", [], path)


def test_all_images_of_an_archive_have_together_what_one_may_have(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = tar({"a": bytes(20_000)})
    digest = f'{{"diff_ids":["sha256:{hashlib.sha256(layer).hexdigest()}"]}}'
    configs = {f"{name}.json": document(rootfs=digest, author=f'"{name}"') for name in "ab"}
    listed = [{"Config": name, "Layers": ["l.tar"]} for name in configs]
    both = tar({**configs, "l.tar": layer, "manifest.json": json.dumps(listed).encode()})
    assert len(store.load(bring(store, both))) == 2
    monkeypatch.setattr("workers.images.store.MOST_BYTES", 50_000)
    with pytest.raises(ImageError, match="unpacks to more"):
        store.load(bring(store, both))


def test_all_layers_of_an_image_count_together() -> None:
    layer = Layer(members=5, size=10, budget=12)
    packed = io.BytesIO(header("x", 3) + bytes(512) + END)
    with tarfile.open(fileobj=packed) as archive, pytest.raises(Unusable, match="unpacks to more"):
        layer.apply(archive)
    assert (layer.members, layer.size) == (6, 13)


def test_what_was_unpacked_is_not_kept_in_mind() -> None:
    """Of a million files the library keeps a gigabyte."""
    # Devices are left out: nothing is written.
    packed = io.BytesIO(b"".join(header(f"dev/{n}", kind=tarfile.CHRTYPE) for n in range(9)) + END)
    layer = Layer(members=0, size=0, budget=0)
    with tarfile.open(fileobj=packed) as archive:
        layer.apply(archive)
        assert (layer.members, len(archive.getmembers())) == (9, 0)
