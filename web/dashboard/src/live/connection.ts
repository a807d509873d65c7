// One WebSocket, kept open: jittered backoff, an application ping, the snapshot first on every start.

import type { Frame } from "./events";
import type { LiveStore } from "./store";

export const FIRST_MS = 500;
export const MOST_MS = 20_000;
export const OPEN_WITHIN_MS = 10_000;
// "Live" is said for at most so long after the line was lost.
export const PING_MS = 10_000;
export const PONG_WITHIN_MS = 5_000;
const UNAUTHORIZED = 4401;

/** How long to wait before try number `tries` (from 0): doubled, bounded, half of it by chance. */
export function backoff(tries: number, chance: () => number = Math.random): number {
  const full = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(tries, 16));
  return full / 2 + (chance() * full) / 2;
}

export class Connection {
  private socket: WebSocket | null = null;
  private tries = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private pinger: ReturnType<typeof setInterval> | undefined;
  private deadline: ReturnType<typeof setTimeout> | undefined;
  private lostAt: number | null = null;
  private heardAt: number | null = null;
  private isOpen = false;

  constructor(
    private readonly store: LiveStore,
    private readonly url: string,
    /** Whether somebody still is, asked when the session of this line has ended. */
    private readonly isSignedIn: () => Promise<boolean>,
  ) {}

  open(): void {
    this.isOpen = true;
    addEventListener("online", this.hurry);
    addEventListener("offline", this.offline);
    this.connect();
  }

  close(): void {
    this.isOpen = false;
    removeEventListener("online", this.hurry);
    removeEventListener("offline", this.offline);
    this.quiet();
    this.socket?.close(1000);
    this.socket = null;
  }

  private readonly hurry = (): void => {
    if (this.timer === undefined || !this.isOpen) return;
    this.tries = 0;
    this.connect();
  };

  /** The browser has no network: a line that still looks open carries nothing. */
  private readonly offline = (): void => {
    if (this.socket) this.abandon(this.socket);
  };

  private connect(): void {
    this.quiet();
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onmessage = (message) => this.hear(socket, String(message.data));
    socket.onclose = (event) => {
      if (this.socket === socket) this.lose(event.code);
    };
    this.deadline = setTimeout(() => socket.close(), OPEN_WITHIN_MS);
  }

  private hear(socket: WebSocket, data: string): void {
    if (this.socket !== socket) return;
    const frame = JSON.parse(data) as Frame;
    clearTimeout(this.deadline);
    this.heardAt = Date.now();
    if (this.pinger === undefined) this.begin(socket);
    this.store.take(frame);
  }

  /** The server has answered: this connection works. */
  private begin(socket: WebSocket): void {
    this.tries = 0;
    this.lostAt = null;
    this.store.setLink({ state: "live" });
    this.pinger = setInterval(() => {
      socket.send('{"type":"ping"}');
      clearTimeout(this.deadline);
      this.deadline = setTimeout(() => this.abandon(socket), PONG_WITHIN_MS);
    }, PING_MS);
  }

  /** A dead line may take minutes to close by itself. */
  private abandon(socket: WebSocket): void {
    if (this.socket !== socket) return;
    socket.close();
    this.lose(1006);
  }

  private lose(code: number): void {
    this.quiet();
    this.socket = null;
    if (!this.isOpen) return;
    this.lostAt ??= this.heardAt ?? Date.now();
    this.store.setLink({ state: "reconnecting", since: this.lostAt });
    if (code === UNAUTHORIZED) void this.ask();
    else this.retry();
  }

  private retry(pause = backoff(this.tries)): void {
    this.timer = setTimeout(() => this.connect(), pause);
    this.tries += 1;
  }

  /** The session has ended. There is the next one after a change of the account, and then nothing to wait for. */
  private async ask(): Promise<void> {
    const goesOn = await this.isSignedIn().catch(() => null); // null: the service did not answer
    if (!this.isOpen) return;
    if (goesOn === false) this.close();
    else this.retry(goesOn && this.tries === 0 ? 0 : undefined);
  }

  private quiet(): void {
    clearTimeout(this.timer);
    clearInterval(this.pinger);
    clearTimeout(this.deadline);
    this.timer = this.pinger = this.deadline = undefined;
  }
}
