// Work that follows changes: a pause before it, one at a time, and never put off by what changes meanwhile.

export class Pace {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isAsked = false;
  private isRunning = false;
  private isOver = false;

  constructor(
    private readonly work: () => unknown,
    private readonly pauseMs: number,
  ) {}

  /** Something changed: the work follows, once for all that changes until it begins. */
  ask(): void {
    this.isAsked = true;
    if (!this.isRunning && !this.isOver) this.timer ??= setTimeout(() => void this.run(), this.pauseMs);
  }

  stop(): void {
    this.isOver = true;
    clearTimeout(this.timer);
  }

  /** Work that was begun again while it is under way would never end where changes come all the time. */
  private async run(): Promise<void> {
    this.timer = undefined;
    this.isAsked = false;
    this.isRunning = true;
    try {
      await this.work();
    } finally {
      this.isRunning = false;
      if (this.isAsked) this.ask();
    }
  }
}
