/** The frames of a stream from a host: the first byte says what a frame is, as `apps/api/streams.py` has it. */
const OUTPUT = 1;
const ERROR_OUTPUT = 2;
const EXIT = 3;
const INPUT = 0;
const SIZE = 2;

type Heard = { output: (bytes: Uint8Array) => void; ended: (message: string) => void };

export class Stream {
  private readonly socket: WebSocket;
  private over = false;

  constructor(path: string, params: [string, string][], heard: Heard) {
    const url = new URL(path, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    for (const [name, value] of params) url.searchParams.append(name, value);
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => {
      const frame = new Uint8Array(data as ArrayBuffer);
      const rest = frame.subarray(1);
      if (frame[0] === OUTPUT || frame[0] === ERROR_OUTPUT) return heard.output(rest);
      const said = JSON.parse(new TextDecoder().decode(rest)) as { code?: number; message?: string };
      this.over = true;
      heard.ended(frame[0] === EXIT ? `It ended with exit status ${said.code}.` : (said.message ?? "It was refused."));
    };
    this.socket.onclose = () => {
      if (!this.over) heard.ended("The connection was closed.");
      this.over = true;
    };
  }

  private frame(kind: number, bytes: Uint8Array): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    const frame = new Uint8Array(bytes.length + 1);
    frame[0] = kind;
    frame.set(bytes, 1);
    this.socket.send(frame);
  }

  type(text: string): void {
    this.frame(INPUT, new TextEncoder().encode(text));
  }

  resize(columns: number, rows: number): void {
    this.frame(SIZE, new TextEncoder().encode(JSON.stringify({ columns, rows })));
  }

  close(): void {
    this.over = true;
    this.socket.close();
  }
}
