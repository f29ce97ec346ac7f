"""Stock `ip netns exec` sees the sandbox's own files, edits included."""

import subprocess

from tests.kernel import scene as made
from tests.kernel.scene import Scene, run


def test_stock_tools_see_the_files(scene: Scene) -> None:
    scene.create(made.sandbox("web"), made.files("web"))
    seen = run("ip", "netns", "exec", "web", "cat", "/etc/resolv.conf", "/etc/hosts")
    assert seen == made.files("web").resolv_conf + made.files("web").hosts


def test_a_running_process_sees_an_edit(scene: Scene) -> None:
    first, second = made.files("web"), made.files("web", hosts="10.1.0.2\tweb\n")
    scene.create(made.sandbox("web"), first)
    script = "read _; cat /etc/hosts"
    command = ["ip", "netns", "exec", "web", "sh", "-c", f"echo ready; {script}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout and reader.stdin
        assert reader.stdout.readline() == "ready\n"
        scene.kernel.change(first, second)
        assert reader.communicate("\n")[0] == second.hosts


def test_files_are_readable_by_all_whatever_the_umask(scene: Scene) -> None:
    scene.create(made.sandbox("web"), made.files("web"))
    assert run("stat", "-c", "%a", "/etc/netns/web/resolv.conf") == "644\n"


def test_files_that_outlived_their_sandbox_are_found(scene: Scene) -> None:
    scene.create(made.sandbox("web"), made.files("web"))
    run("ip", "netns", "delete", "web")
    assert scene.kernel.observe() == {made.files("web").key: made.files("web")}
