/** Which page is where. Each page is loaded when it is opened. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { Problem } from "@/components/page";
import { Shell } from "./shell";

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => <Problem error={new Error("There is no such page.")} />,
});

const overview = createRoute({ getParentRoute: () => root, path: "/", component: lazyRouteComponent(() => import("@/features/overview/page")) });
const map = createRoute({ getParentRoute: () => root, path: "/map", component: lazyRouteComponent(() => import("@/features/map/page")) });
const networks = createRoute({ getParentRoute: () => root, path: "/networks", component: lazyRouteComponent(() => import("@/features/networks/list")) });
const networkNew = createRoute({
  getParentRoute: () => root,
  path: "/networks/new",
  component: lazyRouteComponent(() => import("@/features/networks/create")),
});
const network = createRoute({
  getParentRoute: () => root,
  path: "/networks/$id",
  component: lazyRouteComponent(() => import("@/features/networks/page")),
});
const containers = createRoute({
  getParentRoute: () => root,
  path: "/containers",
  component: lazyRouteComponent(() => import("@/features/containers/list")),
});
const container = createRoute({
  getParentRoute: () => root,
  path: "/containers/$id",
  component: lazyRouteComponent(() => import("@/features/containers/page")),
});
const connectivity = createRoute({
  getParentRoute: () => root,
  path: "/connectivity",
  validateSearch: (search): { network?: string } => (typeof search.network === "string" ? { network: search.network } : {}),
  component: lazyRouteComponent(() => import("@/features/connectivity/page")),
});
const hosts = createRoute({ getParentRoute: () => root, path: "/hosts", component: lazyRouteComponent(() => import("@/features/hosts/list")) });
const host = createRoute({ getParentRoute: () => root, path: "/hosts/$id", component: lazyRouteComponent(() => import("@/features/hosts/page")) });
const addresses = createRoute({
  getParentRoute: () => root,
  path: "/addresses",
  component: lazyRouteComponent(() => import("@/features/addresses/page")),
});
const history = createRoute({
  getParentRoute: () => root,
  path: "/history",
  validateSearch: (search): { subject?: string } => (typeof search.subject === "string" ? { subject: search.subject } : {}),
  component: lazyRouteComponent(() => import("@/features/history/page")),
});
const account = createRoute({ getParentRoute: () => root, path: "/account", component: lazyRouteComponent(() => import("@/features/account/page")) });

export const router = createRouter({
  routeTree: root.addChildren([overview, map, networks, networkNew, network, containers, container, connectivity, hosts, host, addresses, history, account]),
  defaultPreload: "intent",
  scrollRestoration: true,
  defaultErrorComponent: ({ error }) => <Problem error={error instanceof Error ? error : new Error(String(error))} again={() => location.reload()} />,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
