import type { Container, Endpoint, Network } from "@/lib/api";

/** A container on a network, and the endpoint with which it is there. */
export type Member = { container: Container; endpoint: Endpoint };

/** In the order in which they were connected. */
export function membersOf(containers: Container[], network: Network): Member[] {
  return containers
    .flatMap((container) =>
      container.endpoints.filter((each) => each.network.id === network.id).map((endpoint) => ({ container, endpoint })),
    )
    .sort((one, other) => one.endpoint.created.localeCompare(other.endpoint.created));
}
