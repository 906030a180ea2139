// Shapes in whole pixels of the picture: where they are, moved, pulled by a corner, and snapped to others. Pure.

/** @typedef {{kind: string, box?: number[], points?: number[][]}} Shape */
/** @typedef {{width: number, height: number, least: number}} Limits */

/** x, y, width, height of the upright box round a shape. @param {any} shape @returns {number[]} */
export function boxOf(shape) {
  if (shape.kind !== "polygon") return shape.box;
  const [xs, ys] = [shape.points.map((/** @type {number[]} */ p) => p[0]), shape.points.map((/** @type {number[]} */ p) => p[1])];
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return [x, y, Math.max(...xs) - x, Math.max(...ys) - y];
}

const within = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) => Math.min(Math.max(value, low), Math.max(low, high));

/** A shape moved by so many pixels, inside the picture. @param {any} shape @param {number} dx @param {number} dy @param {Limits} limits */
export function moved(shape, dx, dy, { width, height }) {
  const [x, y, w, h] = boxOf(shape);
  const [mx, my] = [within(Math.round(x + dx), 0, width - w) - x, within(Math.round(y + dy), 0, height - h) - y];
  if (shape.kind === "polygon") return { ...shape, points: shape.points.map((/** @type {number[]} */ p) => [p[0] + mx, p[1] + my]) };
  return { ...shape, box: [x + mx, y + my, w, h] };
}

/** A shape with one corner pulled: of a box 0..3 from the top left, clockwise. @param {any} shape @param {number} at @param {number} dx @param {number} dy @param {Limits} limits */
export function pulled(shape, at, dx, dy, { width, height, least }) {
  if (shape.kind === "polygon") {
    const points = shape.points.map((/** @type {number[]} */ p) => [...p]);
    points[at] = [within(Math.round(points[at][0] + dx), 0, width), within(Math.round(points[at][1] + dy), 0, height)];
    return { ...shape, points };
  }
  let [x, y, w, h] = shape.box;
  let [right, bottom] = [x + w, y + h];
  if (at === 0 || at === 3) x = within(Math.round(x + dx), 0, right - least);
  else right = within(Math.round(right + dx), x + least, width);
  if (at < 2) y = within(Math.round(y + dy), 0, bottom - least);
  else bottom = within(Math.round(bottom + dy), y + least, height);
  return { ...shape, box: [x, y, right - x, bottom - y] };
}

/** Where a corner lies. @param {any} shape @param {number} at @returns {number[]} */
export function place(shape, at) {
  if (shape.kind === "polygon") return shape.points[at];
  const [x, y, w, h] = shape.box;
  return [[x, y], [x + w, y], [x + w, y + h], [x, y + h]][at];
}

/** Edges of the picture and of all other shapes of this camera. @param {any[]} regions @param {any} chosen @param {string} camera @param {number} width @param {number} height */
export function edges(regions, chosen, camera, width, height) {
  const found = { x: [0, width], y: [0, height] };
  regions.forEach((region, at) => {
    if (region.camera && region.camera !== camera) return;
    const shapes = [[-1, region.box === "full" ? null : { kind: "rect", box: region.box }], [-2, region.within], ...(region.ignore ?? []).map((/** @type {any} */ one, /** @type {number} */ number) => [number, one])];
    for (const [number, shape] of shapes) {
      if (!shape || (chosen && chosen.region === at && chosen.shape === number)) continue;
      const [x, y, w, h] = boxOf(shape);
      found.x.push(x, x + w);
      found.y.push(y, y + h);
    }
  });
  return found;
}

/** What `make` gives for a way, or for one a little off it that puts an edge right on another. @param {(dx: number, dy: number) => any} make @param {number} dx @param {number} dy @param {{x: number[], y: number[]}} others @param {number} reach */
export function snapped(make, dx, dy, others, reach) {
  const [x, y, w, h] = boxOf(make(dx, dy));
  return make(dx + nearest([x, x + w], others.x, reach), dy + nearest([y, y + h], others.y, reach));
}

function nearest(/** @type {number[]} */ own, /** @type {number[]} */ others, /** @type {number} */ reach) {
  let best = 0;
  let far = reach + 1e-9;
  for (const edge of own) {
    for (const other of others) {
      const off = other - edge;
      if (off !== 0 && Math.abs(off) < far) [best, far] = [off, Math.abs(off)];
      else if (off === 0) return 0;
    }
  }
  return best;
}
