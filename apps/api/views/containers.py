"""/containers/"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db.models import Prefetch, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.roles import account
from apps.api import filters, requests
from apps.api.changes import change
from apps.api.containers import ContainerOut, ExecResult, LogText, ProcessesOut, show_ports
from apps.api.inspect import describe_container
from apps.api.views.base import HOST, LABEL, Resource, chosen_host, narrowing_host, read
from apps.api.views.networks import read_wish
from apps.containers import ports
from apps.containers.models import Container
from apps.containers.processes import DEFAULT, read_options
from apps.containers.restarts import read_policy
from apps.containers.services import check_place
from apps.delivery.changes import Change, record
from apps.delivery.images import container_details, find_image
from apps.delivery.questions import ask
from apps.hosts.models import Host
from apps.networks.models import Endpoint, Network
from apps.networks.selectors import attached, find_container, find_network
from apps.networks.services import lifecycle
from apps.networks.services.attachments import Wish

TAIL = 100_000
"""Lines of a log that may be asked for."""
MARGIN = 5.0
"""Seconds that a host gets beyond the time that a command may take."""
DETAILS = ("dns", "dns_search", "dns_options", "extra_hosts", "sysctls")
QUIET = (*DETAILS, "image", "image_name", "entrypoint", "user", "working_dir")
"""Of the history: only what there is."""


def with_endpoints() -> QuerySet[Container]:
    """Containers with all that is shown of them; a constant number of queries."""
    return Container.objects.select_related("host").prefetch_related(
        Prefetch("endpoints", attached(Endpoint.objects.all())), "ports"
    )


def show_containers(containers: Sequence[Container]) -> Any:
    return ContainerOut(containers, many=True, context={"ports": show_ports(containers)}).data  # type: ignore[arg-type]


def show_container(container: Container) -> Any:
    return show_containers([with_endpoints().get(pk=container.pk)])[0]


def exec_arguments(
    container: Container, command: list[str], env: Mapping[str, str], *, user: str = "", working_dir: str = ""
) -> dict[str, Any]:
    """What a host needs to run a command in a container; Conflict when it does not run."""
    lifecycle.refuse_stopped(container)
    check_place(container.image, user, working_dir)
    return {
        **place_of(container),
        "image": container.image,
        "user": user,
        "working_dir": working_dir,
        "hostname": container.hostname,
        "command": command,
        # Beside a process of an image it has that one's.
        "env": dict(env) if container.image else {**container.env, **env},
    }


def place_of(container: Container) -> dict[str, str]:
    """By what a host finds what runs in it."""
    return {"container": container.pk, "sandbox": "" if container.host_network else container.name}


def _read_image(host: Host, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the image makes of what is given."""
    places = {key: given[key] for key in ("user", "working_dir")}
    if not given["image"]:
        return {**places, "entrypoint": given["entrypoint"] or []}
    command, env, details = container_details(
        find_image(host, given["image"]),
        given["image"],
        command=given["command"],
        entrypoint=given["entrypoint"],
        env=given["env"],
        **places,
    )
    return {"command": command, "env": env, **details}


class ContainerView(Resource[Container]):
    serializer_class = ContainerOut
    filterset_class = filters.Containers
    rehearsed = ("create", "destroy", "start", "stop", "restart", "rename")

    def get_queryset(self) -> QuerySet[Container]:
        return with_endpoints()

    def found(self) -> Container:
        return find_container(self.term, narrowing_host(self.request))

    @extend_schema(parameters=[LABEL])
    def list(self, request: Request) -> Response:
        """Containers, oldest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(show_containers(page or []))

    @extend_schema(request=requests.ContainerCreate, responses={201: ContainerOut})
    def create(self, request: Request) -> Response:
        """Create a container, and start it if wanted; without networks it is on the default bridge."""
        given = read(requests.ContainerCreate, request)
        host = chosen_host(request, given["host"])
        wishes = [(one["network"], read_wish(one)) for one in given["networks"] or []]
        keys = ("name", "hostname", "command", "env", "labels", "stop_timeout", "start", *DETAILS)
        fields = {key: given[key] for key in keys}
        fields.update(_read_image(host, given))
        if given["restart"] != Container.Restart.NO:
            fields["restart_policy"], fields["restart_limit"] = read_policy(given["restart"])
        published = ports.read(given["ports"])

        def work(locked: Host) -> Container:
            wanted: list[tuple[Network, Wish]] = [(find_network(term, locked), wish) for term, wish in wishes]
            if not wanted:
                wanted = [(find_network("bridge", locked), Wish())]
            return lifecycle.create_container(locked, attachments=wanted, published=published, **fields)

        # Values of variables are often secrets: the history keeps their names only.
        detail = {
            **{key: value for key, value in fields.items() if value or key not in QUIET},
            "env": sorted(fields["env"]),
            "networks": given["networks"],
            "ports": given["ports"],
        }
        return change(request, host, "container.create", work, detail=detail, show=show_container, code=201)

    @extend_schema(parameters=[HOST])
    def retrieve(self, request: Request, id: str) -> Response:
        """One container."""
        return Response(show_container(self.found()))

    @extend_schema(
        parameters=[HOST, OpenApiParameter("force", OpenApiTypes.BOOL, description="Even if it runs.")],
        responses={204: None},
    )
    def destroy(self, request: Request, id: str) -> Response:
        """Remove a container with its endpoints."""
        force = request.query_params.get("force", "").lower() in ("1", "true")

        def work(locked: Host, container: Container) -> Container:
            return lifecycle.remove_container(locked, container, force=force)

        return self._change("container.remove", work, {"force": force}, lambda _: None, code=204)

    @extend_schema(parameters=[HOST], responses={200: OpenApiTypes.OBJECT})
    @action(detail=True, methods=["get"])
    def inspect(self, request: Request, id: str) -> Response:
        """The container as `docker inspect` prints it, as far as it concerns networks."""
        return Response(describe_container(self.found()))

    @extend_schema(parameters=[HOST], request=None)
    @action(detail=True, methods=["post"])
    def start(self, request: Request, id: str) -> Response:
        """Start a container, unless it runs."""
        read(requests.Strict, request)
        return self._change("container.start", lifecycle.start_container, {})

    @extend_schema(parameters=[HOST], request=requests.Stop)
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, id: str) -> Response:
        """Stop a container, unless it does not run; its addresses stay its own."""
        given = read(requests.Stop, request)
        return self._change(
            "container.stop", lambda locked, found: lifecycle.stop_container(locked, found, **given), given
        )

    @extend_schema(parameters=[HOST], request=requests.Stop)
    @action(detail=True, methods=["post"])
    def restart(self, request: Request, id: str) -> Response:
        """Stop a container and start it again."""
        given = read(requests.Stop, request)
        return self._change(
            "container.restart",
            lambda locked, found: lifecycle.restart_container(locked, found, **given),
            given,
        )

    @extend_schema(parameters=[HOST], request=requests.Rename)
    @action(detail=True, methods=["post"])
    def rename(self, request: Request, id: str) -> Response:
        """Give a container another name, on every network."""
        given = read(requests.Rename, request)
        return self._change(
            "container.rename",
            lambda locked, found: lifecycle.rename_container(locked, found, **given),
            given,
        )

    @extend_schema(
        parameters=[HOST, OpenApiParameter("tail", OpenApiTypes.INT, description="Only the last lines.")],
        responses={200: LogText},
    )
    @action(detail=True, methods=["get"])
    def logs(self, request: Request, id: str) -> Response:
        """What the container's process has printed."""
        container = self.found()
        arguments = {"container": container.pk, "tail": read_tail(request.query_params.get("tail"))}
        result = ask(container.host, "logs", arguments, settings.NETADMIN_ANSWER_TIMEOUT)
        return Response({"text": str(result.get("text", ""))})

    @extend_schema(
        parameters=[HOST, OpenApiParameter("options", description="Of ps; -ef without any.")],
        responses={200: ProcessesOut},
    )
    @action(detail=True, methods=["get"])
    def top(self, request: Request, id: str) -> Response:
        """What runs in a container."""
        container = self.found()
        lifecycle.refuse_stopped(container)
        options = read_options(request.query_params.get("options") or DEFAULT)
        arguments = {**place_of(container), "options": options}
        return Response(ask(container.host, "list_processes", arguments, settings.NETADMIN_ANSWER_TIMEOUT))

    @extend_schema(parameters=[HOST], request=requests.Exec, responses={200: ExecResult})
    @action(detail=True, methods=["post"])
    def exec(self, request: Request, id: str) -> Response:
        """Run one command in a running container and wait for its end."""
        given = read(requests.Exec, request)
        container = self.found()
        place = {key: given[key] for key in ("user", "working_dir")}
        arguments = exec_arguments(container, given["command"], given["env"], **place)
        record(
            Change(
                actor=account(request.user), action="container.exec", detail={"command": given["command"]}
            ),
            container,
            container.host,
        )
        timeout = given["timeout"]
        result = ask(container.host, "run_once", {**arguments, "timeout": timeout}, timeout + MARGIN)
        return Response(
            {
                "exit_code": result.get("code"),
                "output": result.get("output", ""),
                "truncated": result.get("truncated", False),
            }
        )

    def _change(
        self,
        name: str,
        work: Callable[[Host, Container], Container],
        detail: Mapping[str, Any],
        show: Callable[[Container], Any] = show_container,
        *,
        code: int = 200,
    ) -> Response:
        container = self.found()
        return change(
            self.request,
            container.host,
            name,
            lambda locked: work(locked, find_container(container.pk, locked)),
            detail=detail,
            show=show,
            code=code,
            # A process that ends may take its time.
            grace=detail.get("timeout") or container.stop_timeout,
        )


def read_tail(text: str | None) -> int | None:
    """How many of the last lines are wanted; None: all that are kept."""
    if text is None or text == "all":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 8 and int(text) <= TAIL):
        raise ValidationError({"tail": [f"Give a number of lines up to {TAIL}, or all."]})
    return int(text)
