"""/api/v1/"""

from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.urls import re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import Route, SimpleRouter

from apps.api.views.accounts import CertificateView, FailureView, MeView, SessionView, TokenView
from apps.api.views.connectivity import CheckView, LinksView, MatrixView, ResolveView, StatisticsView
from apps.api.views.containers import ContainerView
from apps.api.views.endpoints import EndpointView
from apps.api.views.hosts import HostView, JoinView
from apps.api.views.images import ImagesView, ImageView, LoadView, TagView
from apps.api.views.networks import NetworkView
from apps.api.views.records import OperationView, PoolView, SubnetView
from apps.api.views.rights import GrantView, RightsView
from apps.api.views.summary import SummaryView


class Router(SimpleRouter):
    """Lists of objects can be deleted, where a view knows how. An object may be called as what is done to its list."""

    routes = [
        route._replace(mapping={**route.mapping, "delete": "destroy_many"})
        if isinstance(route, Route) and route.name == "{basename}-list"
        else route
        for route in SimpleRouter.routes
    ]

    def get_urls(self) -> Any:
        urls: Any = super().get_urls()
        views = {url.name: url.callback for url in urls}
        for url in urls:
            basename, detail = (url.callback.initkwargs[key] for key in ("basename", "detail"))
            of_object = views.get(f"{basename}-detail")
            if of_object and not detail and url.name != f"{basename}-list":
                url.callback = _give_way(url.callback, of_object, url.name.removeprefix(f"{basename}-"))
        return urls


def _give_way(view: Any, of_object: Any, name: str) -> Any:
    """`view`, but what it does not do is done to the object of that name."""

    @wraps(view)
    def choose(request: HttpRequest, **given: Any) -> Any:
        method = str(request.method).lower()
        if method in of_object.actions and method not in view.actions:
            given["id"] = name
            return of_object(request, **given)
        return view(request, **given)

    return choose


router = Router()
router.trailing_slash = "/?"
router.register("hosts", HostView, basename="host")
router.register("networks", NetworkView, basename="network")
router.register("containers", ContainerView, basename="container")
router.register("endpoints", EndpointView, basename="endpoint")
router.register("subnets", SubnetView, basename="subnet")
router.register("pools", PoolView, basename="pool")
router.register("operations", OperationView, basename="operation")
router.register("grants", GrantView, basename="grant")
router.register("failures", FailureView, basename="failure")
router.register("certificates", CertificateView, basename="certificate")
router.register("tokens", TokenView, basename="token")

urlpatterns = [
    *router.urls,
    re_path("^check/?$", CheckView.as_view(), name="check"),
    re_path("^images/?$", ImagesView.as_view(), name="images"),
    re_path("^images/load/?$", LoadView.as_view(), name="image-load"),
    # A name has slashes of its own: `team/tool:1`.
    re_path("^images/(?P<name>.+?)/tag/?$", TagView.as_view(), name="image-tag"),
    re_path("^images/(?P<name>.+?)/?$", ImageView.as_view(), name="image"),
    re_path("^links/?$", LinksView.as_view(), name="links"),
    re_path("^matrix/?$", MatrixView.as_view(), name="matrix"),
    re_path("^resolve/?$", ResolveView.as_view(), name="resolve"),
    re_path("^summary/?$", SummaryView.as_view(), name="summary"),
    re_path("^statistics/?$", StatisticsView.as_view(), name="statistics"),
    re_path("^join/?$", JoinView.as_view(), name="join"),
    re_path("^me/?$", MeView.as_view(), name="me"),
    re_path("^rights/?$", RightsView.as_view(), name="rights"),
    re_path("^session/?$", SessionView.as_view(), name="session"),
    re_path("^schema/?$", SpectacularAPIView.as_view(), name="schema"),
    re_path("^docs/?$", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
]
