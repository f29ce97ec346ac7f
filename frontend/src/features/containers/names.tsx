import type { Container } from "@/lib/api";
import { Empty } from "@/components/page";

export function Names({ container }: { container: Container }) {
  return <Empty title={container.name}>soon</Empty>;
}
