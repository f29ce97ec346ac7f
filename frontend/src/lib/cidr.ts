/** IPv4 blocks as numbers, to draw and compare them. What is allowed, the server alone decides. */
export type Block = { first: number; last: number };

export function parseAddress(text: string): number | null {
  const parts = text.split(".").map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return null;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

export const spellAddress = (value: number): string => [24, 16, 8, 0].map((bits) => Math.floor(value / 2 ** bits) % 256).join(".");

export function parseBlock(cidr: string): Block | null {
  const [address = "", prefix = ""] = cidr.split("/");
  const first = parseAddress(address);
  const bits = Number(prefix);
  if (first === null || !/^\d+$/.test(prefix) || bits > 32) return null;
  const size = 2 ** (32 - bits);
  const start = Math.floor(first / size) * size;
  return { first: start, last: start + size - 1 };
}
