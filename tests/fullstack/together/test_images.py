"""Images: into a host's store and out of it again, by the command line."""

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from netadmin.busybox import pack
from tests.product import Product


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed root file system."""
    program = shutil.which("busybox")
    assert program
    path = tmp_path_factory.mktemp("images") / "root.tar.gz"
    path.write_bytes(gzip.compress(pack(Path(program)), 1))
    return path


def test_an_image_is_imported_listed_tagged_and_removed(product: Product, root: Path) -> None:
    id = product.run(
        "image", "import", "-c", 'CMD ["sh"]', "-c", "ENV A=1", str(root), "busybox"
    ).stdout.strip()
    [shown] = json.loads(product.do("image inspect busybox"))
    assert f"sha256:{shown['id']}" == id
    assert shown["names"] == ["busybox:latest"]
    assert shown["document"]["config"] == {"Cmd": ["sh"], "Env": ["A=1"]}
    assert hashlib.sha256(gzip.decompress(root.read_bytes())).hexdigest() in json.dumps(shown["document"])
    stored = product.state_dir.glob(f"**/images/{shown['id']}/root/bin/busybox")
    assert [path.stat().st_mode & 0o111 for path in stored] == [0o111]

    product.do("image tag busybox team/tool:1.36")
    assert [line.split()[:3] for line in product.do("image ls").splitlines()] == [
        ["REPOSITORY", "TAG", "IMAGE"],
        ["busybox", "latest", shown["id"][:12]],
        ["team/tool", "1.36", shown["id"][:12]],
    ]
    assert "referenced in multiple repositories" in product.refuse(f"image rm {shown['id'][:12]}")
    assert product.do("image rm team/tool:1.36") == "Untagged: team/tool:1.36"
    assert product.do("image rm busybox") == f"Untagged: busybox:latest\nDeleted: {id}"
    assert json.loads(product.do("image ls --json")) == []
    actions = [one["action"] for one in json.loads(product.do("history --json"))]
    assert sorted(action for action in actions if action.startswith("image.")) == [
        "image.import",
        "image.remove",
        "image.remove",
        "image.tag",
    ]


def test_an_unknown_image_is_refused_with_how_to_import_it(product: Product) -> None:
    refused = product.refuse("image inspect busybox")
    assert "No such image: busybox:latest" in refused
    assert "netadmin image import" in refused


def test_a_container_runs_in_the_root_of_an_image_until_it_is_removed(product: Product, root: Path) -> None:
    product.run("image", "import", "-c", 'CMD ["sleep", "600"]', "-c", "ENV A=1", str(root), "busybox")
    try:
        product.do("network create --subnet 10.77.0.0/24 rooted")
        product.do("run -d --name plain --net rooted")
        id = product.do("run -d --name box --image busybox --net rooted -e B=2 -h inside")
        [shown] = json.loads(product.do("inspect box"))
        assert shown["State"]["Status"] == "running"
        assert product.run("exec", "box", "ls", "-d", "/bin/sh", "/usr").stdout == "/bin/sh\n"
        assert "round-trip" in product.do("exec box ping -c 1 -W 20 plain")
        assert product.do("exec plain ping -c 1 -W 20 box")
        assert (
            product.run(
                "exec",
                "-e",
                "C=3",
                "-w",
                "/tmp/x",
                "-u",
                "12:34",
                "box",
                "sh",
                "-c",
                "id -u; pwd; echo $A$B$C; hostname",
            ).stdout
            == "12\n/tmp/x\n123\ninside\n"
        )
        assert "conflict: unable to remove" in product.refuse("image rm busybox")
        product.run("exec", "box", "sh", "-c", "echo kept > /etc/kept")
        product.do("restart -t 0 box")
        assert product.do("exec box cat /etc/kept") == "kept"
        product.do("stop -t 0 box")
        assert "is being used by stopped container" in product.refuse(f"image rm {shown['Image'][7:]}")
        assert json.loads(product.do("inspect box"))[0]["State"]["ExitCode"] == 137
        product.do("rm box")
        assert list(product.state_dir.glob(f"**/layers/{id}")) == []
        ended = product.run(
            "run", "--name", "once", "--image", "busybox", "--net", "rooted", "sh", "-c", "echo out; exit 3"
        )
        assert (ended.stdout, ended.returncode) == ("out\n", 3)
        assert "netadmin image import" in product.refuse("run -d --image nobody/knows:1")
        assert "own root directory" in product.refuse("run -d -u 12 sleep 600")
        assert "own root directory" in product.refuse("exec -u 12 plain true")
    finally:
        product.run("rm", "-f", "once", "box", "plain")
        product.run("network", "rm", "rooted")
        product.run("image", "rm", "busybox")


def test_an_archive_with_layers_is_loaded_with_its_whiteouts(product: Product, tmp_path: Path) -> None:
    lower = tar({"etc/kept": b"kept", "etc/gone": b"gone", "old/file": b"old"})
    upper = tar({"etc/.wh.gone": b"", "old/.wh..wh..opq": b"", "old/new": b"new"})
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["sh"]},
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in (lower, upper)],
        },
    }
    document = json.dumps(config).encode()
    manifest = [{"Config": "config.json", "RepoTags": ["tool:1"], "Layers": ["a/layer.tar", "b/layer.tar"]}]
    archive = tmp_path / "saved.tar"
    archive.write_bytes(
        tar(
            {
                "config.json": document,
                "a/layer.tar": lower,
                "b/layer.tar": upper,
                "manifest.json": json.dumps(manifest).encode(),
            }
        )
    )
    assert product.do(f"image load {archive}") == "Loaded image: tool:1"
    [image] = json.loads(product.do("image inspect tool:1"))
    assert image["id"] == hashlib.sha256(document).hexdigest()
    [stored] = product.state_dir.glob(f"**/images/{image['id']}/root")
    files = {str(path.relative_to(stored)): path.read_bytes() for path in stored.rglob("*") if path.is_file()}
    assert files == {"etc/kept": b"kept", "old/new": b"new"}
    product.do("image rm tool:1")


def test_a_hostile_archive_stays_inside_and_brings_no_devices(product: Product, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        link = tarfile.TarInfo("way")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        archive.addfile(link)
        for name in ("way/victim", f"../../../..{victim}", str(victim)):
            entry = tarfile.TarInfo(name)
            entry.size = 4
            archive.addfile(entry, io.BytesIO(b"evil"))
        device = tarfile.TarInfo("dev/sda")
        device.type, device.devmajor, device.devminor = tarfile.BLKTYPE, 8, 0
        archive.addfile(device)
    path = tmp_path / "hostile.tar"
    path.write_bytes(packed.getvalue())
    product.run("image", "import", str(path), "hostile")
    assert not victim.exists()
    for each in json.loads(product.do("image ls --json")):
        [stored] = product.state_dir.glob(f"**/images/{each['id']}/root")
        assert not any(path.is_block_device() for path in stored.rglob("*"))
        product.do(f"image rm -f {each['id']}")


def test_what_is_no_archive_is_refused_and_leaves_nothing(product: Product, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("no tar at all")
    assert "no tar archive" in product.refuse(f"image import {path} text")
    assert "invalid reference format" in product.refuse(f"image import {path} Bad:Name:x")
    assert json.loads(product.do("image ls --json")) == []
    assert list(product.state_dir.glob("**/images/draft-*")) == []


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()
