/** Which page is where. Each page is loaded when it is opened. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { Problem } from "@/components/page";
import { load } from "@/lib/connection";
import { Shell } from "./shell";

/** The router's own way reloads the page when a part cannot be had, and of a server that is away there is no page. */
const show = <T extends Record<string, unknown>>(page: () => Promise<T>) => lazyRouteComponent(() => load(page));

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => <Problem error={new Error("There is no such page.")} />,
});

const overview = createRoute({ getParentRoute: () => root, path: "/", component: show(() => import("@/features/overview/page")) });
const map = createRoute({ getParentRoute: () => root, path: "/map", component: show(() => import("@/features/map/page")) });
const networks = createRoute({ getParentRoute: () => root, path: "/networks", component: show(() => import("@/features/networks/list")) });
const networkNew = createRoute({
  getParentRoute: () => root,
  path: "/networks/new",
  component: show(() => import("@/features/networks/create")),
});
const network = createRoute({
  getParentRoute: () => root,
  path: "/networks/$id",
  component: show(() => import("@/features/networks/page")),
});
const containers = createRoute({
  getParentRoute: () => root,
  path: "/containers",
  component: show(() => import("@/features/containers/list")),
});
const container = createRoute({
  getParentRoute: () => root,
  path: "/containers/$id",
  component: show(() => import("@/features/containers/page")),
});
const connectivity = createRoute({
  getParentRoute: () => root,
  path: "/connectivity",
  validateSearch: (search): { network?: string } => (typeof search.network === "string" ? { network: search.network } : {}),
  component: show(() => import("@/features/connectivity/page")),
});
const hosts = createRoute({ getParentRoute: () => root, path: "/hosts", component: show(() => import("@/features/hosts/list")) });
const host = createRoute({ getParentRoute: () => root, path: "/hosts/$id", component: show(() => import("@/features/hosts/page")) });
const addresses = createRoute({
  getParentRoute: () => root,
  path: "/addresses",
  component: show(() => import("@/features/addresses/page")),
});
const history = createRoute({
  getParentRoute: () => root,
  path: "/history",
  validateSearch: (search): { subject?: string } => (typeof search.subject === "string" ? { subject: search.subject } : {}),
  component: show(() => import("@/features/history/page")),
});
const account = createRoute({ getParentRoute: () => root, path: "/account", component: show(() => import("@/features/account/page")) });

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
