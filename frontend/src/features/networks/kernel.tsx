import { Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Mono } from "@/components/copy";
import { Answered, Empty, Problem } from "@/components/page";
import { api, get, type Network } from "@/lib/api";
import { shorten } from "@/lib/format";
import type { Member } from "./members";

/** The devices of the network, as the kernels of its hosts have them now. */
export function Kernel({ network, members }: { network: Network; members: Member[] }) {
  const found = useQuery({
    queryKey: ["links", network.id],
    queryFn: () => get(api.GET("/api/v1/links/", { params: { query: { network: network.id } } })),
    refetchInterval: 5000,
    gcTime: 0,
  });
  const names = new Map(members.map(({ container }) => [container.id, container.name]));
  return (
    <Answered query={found}>
      {() =>
        found.data!.length ? (
          <Stack>
            {found.data!.map((each) => (
              <div key={each.host}>
                <Text fw={600}>{each.host}</Text>
                {each.error && <Problem error={new Error(each.error)} />}
                {!each.error && !each.links.length && <Text size="sm">This driver has no devices of its own on the host.</Text>}
                {each.links.length > 0 && (
                  <Table.ScrollContainer minWidth={640}>
                    <Table aria-label={`Devices on ${each.host}`} data-testid="devices">
                      <Table.Thead>
                        <Table.Tr>
                          {["Device", "Kind", "State", "MTU", "MAC", "About"].map((name) => (
                            <Table.Th key={name}>{name}</Table.Th>
                          ))}
                        </Table.Tr>
                      </Table.Thead>
                      <Table.Tbody>
                        {each.links.map((link) => (
                          <Table.Tr key={link.device}>
                            <Table.Td>
                              <Mono text={link.device} what="device name" />
                            </Table.Td>
                            <Table.Td>{link.kind}</Table.Td>
                            <Table.Td>{link.up ? "up" : "down"}</Table.Td>
                            <Table.Td>{link.mtu}</Table.Td>
                            <Table.Td ff="monospace">{link.mac}</Table.Td>
                            <Table.Td>
                              {link.addresses.join(", ")}
                              {link.container && `of ${names.get(link.container) ?? shorten(link.container)}`}
                              {link.entries !== null && `${link.entries} remote endpoints`}
                            </Table.Td>
                          </Table.Tr>
                        ))}
                      </Table.Tbody>
                    </Table>
                  </Table.ScrollContainer>
                )}
              </div>
            ))}
          </Stack>
        ) : (
          <Empty title="It is on no host">An overlay comes to a host with its first container there.</Empty>
        )
      }
    </Answered>
  );
}
