// The page's one event stream, and the watch over it: no heartbeat for 3 s means the display is not updating.
const SILENCE_MS = 3000;
const AGAIN_MS = 3000;

export class Events {
  /** @param {string} url */
  constructor(url) {
    this.url = url;
    /** @type {Map<string, ((data: any) => void)[]>} */
    this.handlers = new Map();
    /** @type {EventSource | null} */
    this.source = null;
    this.lastBeat = performance.now();
    this.beats = 0;
    this.stale = false;
    this.refused = false;
    /** @type {(stale: boolean) => void} */
    this.onStale = () => {};
  }

  /** @param {string} topic @param {(data: any) => void} handler */
  on(topic, handler) {
    const known = this.handlers.get(topic);
    if (known) known.push(handler);
    else this.handlers.set(topic, [handler]);
  }

  start() {
    this.on("heartbeat", () => {
      this.lastBeat = performance.now();
      this.beats += 1;
      this.refused = false;
      this.judge();
    });
    // A hidden page gives its stream back: a browser has six connections for us in all.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    window.addEventListener("pagehide", () => this.close());
    window.addEventListener("pageshow", () => this.open());
    setInterval(() => this.judge(), 200);
    if (!document.hidden) this.open();
  }

  open() {
    if (this.source && this.source.readyState !== EventSource.CLOSED) return;
    const source = new EventSource(this.url);
    this.source = source;
    for (const [topic, handlers] of this.handlers) {
      source.addEventListener(topic, (event) => {
        const data = JSON.parse(/** @type {MessageEvent} */ (event).data);
        for (const handler of handlers) handler(data);
      });
    }
    source.addEventListener("error", () => {
      // A refusal (503) ends an EventSource for good; a lost connection it mends itself.
      if (source.readyState !== EventSource.CLOSED || this.source !== source) return;
      this.refused = true;
      this.source = null;
      setTimeout(() => !document.hidden && this.open(), AGAIN_MS);
    });
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  judge() {
    const stale = performance.now() - this.lastBeat > SILENCE_MS;
    if (stale !== this.stale || stale) this.onStale(stale);
    this.stale = stale;
  }
}
