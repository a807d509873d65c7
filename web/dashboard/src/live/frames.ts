// Many changes, one drawing: listeners hear of all that changed once per frame.

export type Schedule = (draw: () => void) => void;

// A hidden page gets no frames; a slow timer keeps its numbers from growing old.
const HIDDEN_MS = 1000;

export const byFrame: Schedule = (draw) => {
  if (document.visibilityState === "hidden") setTimeout(draw, HIDDEN_MS);
  else requestAnimationFrame(draw);
};

/** Tells listeners of a topic, at most once per frame. */
export class Gatherer {
  private readonly listeners = new Map<string, Set<() => void>>();
  private readonly changed = new Set<string>();
  private waiting = false;

  constructor(private readonly schedule: Schedule) {}

  listen(topic: string, listener: () => void): () => void {
    const those = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, those.add(listener));
    return () => {
      those.delete(listener);
      if (!those.size && this.listeners.get(topic) === those) this.listeners.delete(topic);
    };
  }

  tell(topic: string): void {
    this.changed.add(topic);
    if (this.waiting) return;
    this.waiting = true;
    this.schedule(() => this.draw());
  }

  private draw(): void {
    this.waiting = false;
    const topics = [...this.changed];
    this.changed.clear();
    for (const topic of topics) {
      for (const listener of [...(this.listeners.get(topic) ?? [])]) listener();
    }
  }
}
