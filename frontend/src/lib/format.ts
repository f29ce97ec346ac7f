const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${UNITS[unit]}`;
}

export const formatRate = (bytes: number): string => `${formatBytes(bytes)}/s`;

/** How long something lasted. */
export function formatSeconds(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
}

/** "just now", "5 min ago", and further back the date. */
export function formatAge(at: string, now = Date.now()): string {
  const seconds = Math.round((now - Date.parse(at)) / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(at).toLocaleDateString();
}

export const formatTime = (at: string): string => new Date(at).toLocaleString();

/** hh:mm:ss */
export const formatClock = (at: Date): string => at.toTimeString().slice(0, 8);

export const shorten = (id: string): string => id.slice(0, 12);

/** 1 network, 2 networks. */
export const count = (number: number, noun: string): string => `${number.toLocaleString()} ${noun}${number === 1 ? "" : "s"}`;
