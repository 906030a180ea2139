// What is painted: a layer for each class, in pixels of the picture, and the run lengths it is kept as.

/** A layer of a class: 1 where it is painted, row by row. */
export class Layers {
  /** @param {number} width @param {number} height */
  constructor(width, height) {
    [this.width, this.height] = [width, height];
    /** @type {Map<string, Uint8Array>} */
    this.layers = new Map();
  }

  /** @param {string} kind */
  of(kind) {
    const known = this.layers.get(kind);
    if (known) return known;
    const made = new Uint8Array(this.width * this.height);
    this.layers.set(kind, made);
    return made;
  }

  /** Paint a round spot; every pixel whose middle is within the radius. Returns the place it touched.
   * @param {string} kind @param {number} x @param {number} y @param {number} radius @param {0 | 1} value */
  spot(kind, x, y, radius, value) {
    const layer = this.of(kind);
    const [x0, x1] = [Math.max(0, Math.floor(x - radius)), Math.min(this.width - 1, Math.ceil(x + radius))];
    const [y0, y1] = [Math.max(0, Math.floor(y - radius)), Math.min(this.height - 1, Math.ceil(y + radius))];
    for (let row = y0; row <= y1; row++) {
      for (let column = x0; column <= x1; column++) {
        if ((column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2 <= radius * radius) layer[row * this.width + column] = value;
      }
    }
    return { x0, y0, x1, y1 };
  }

  /** A stroke from one point to the next. */
  stroke(/** @type {string} */ kind, /** @type {[number, number]} */ from, /** @type {[number, number]} */ to, /** @type {number} */ radius, /** @type {0 | 1} */ value) {
    const steps = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / Math.max(0.5, radius / 3)));
    let touched = null;
    for (let step = 0; step <= steps; step++) {
      const share = step / steps;
      const spot = this.spot(kind, from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share, radius, value);
      touched = touched ? union(touched, spot) : spot;
    }
    return touched;
  }

  /** Run lengths, columns first, unpainted first, as COCO has them. @param {string} kind */
  counts(kind) {
    const layer = this.of(kind);
    const counts = [];
    let [run, now] = [0, 0];
    for (let x = 0; x < this.width; x++) {
      for (let at = x; at < layer.length; at += this.width) {
        if (layer[at] !== now) {
          counts.push(run);
          [run, now] = [0, layer[at]];
        }
        run += 1;
      }
    }
    counts.push(run);
    return counts;
  }

  /** @param {string} kind @param {number[]} counts */
  load(kind, counts) {
    const layer = this.of(kind);
    let [at, now] = [0, 0];
    for (const count of counts) {
      if (now) {
        for (let n = at; n < at + count; n++) layer[(n % this.height) * this.width + Math.floor(n / this.height)] = 1;
      }
      at += count;
      now = 1 - now;
    }
  }

  /** @param {string} kind */
  empty(kind) {
    return !this.layers.get(kind)?.includes(1);
  }

  /** @param {string} kind @param {Place} place @param {Uint8Array[]} rows */
  paste(kind, place, rows) {
    const layer = this.of(kind);
    rows.forEach((row, n) => layer.set(row, (place.y0 + n) * this.width + place.x0));
  }
}

/** @typedef {{x0: number, y0: number, x1: number, y1: number}} Place */

/** A copy of one place of a layer, row by row. @param {Uint8Array} layer @param {number} width @param {Place} place */
export function cut(layer, width, place) {
  const rows = [];
  for (let y = place.y0; y <= place.y1; y++) rows.push(layer.slice(y * width + place.x0, y * width + place.x1 + 1));
  return rows;
}

/** @param {Place} a @param {Place} b */
export const union = (a, b) => ({ x0: Math.min(a.x0, b.x0), y0: Math.min(a.y0, b.y0), x1: Math.max(a.x1, b.x1), y1: Math.max(a.y1, b.y1) });
