// Boxes on a picture, in whole pixels of it: drawn by a drag, moved, and pulled at their corners.

/** @typedef {{kind: string, x: number, y: number, w: number, h: number}} Box */

/** The box between two points, within the picture; null: smaller than a pixel.
 * @param {string} kind @param {[number, number]} a @param {[number, number]} b @param {number} width @param {number} height */
export function boxBetween(kind, a, b, width, height) {
  const clamp = (/** @type {number} */ value, /** @type {number} */ most) => Math.min(most, Math.max(0, Math.round(value)));
  const [x0, x1] = [clamp(Math.min(a[0], b[0]), width), clamp(Math.max(a[0], b[0]), width)];
  const [y0, y1] = [clamp(Math.min(a[1], b[1]), height), clamp(Math.max(a[1], b[1]), height)];
  return x1 > x0 && y1 > y0 ? { kind, x: x0, y: y0, w: x1 - x0, h: y1 - y0 } : null;
}

/** @param {Box} box @param {number} dx @param {number} dy @param {number} width @param {number} height */
export function moved(box, dx, dy, width, height) {
  const x = Math.min(width - box.w, Math.max(0, Math.round(box.x + dx)));
  const y = Math.min(height - box.h, Math.max(0, Math.round(box.y + dy)));
  return { ...box, x, y };
}

/** Corners in order: the opposite of n is (n + 2) % 4. @param {Box} box @returns {[number, number][]} */
export const corners = (box) => [[box.x, box.y], [box.x + box.w, box.y], [box.x + box.w, box.y + box.h], [box.x, box.y + box.h]];

/** The smallest box a point is in; -1: none. @param {Box[]} boxes @param {[number, number]} at @param {number} slack */
export function boxAt(boxes, at, slack) {
  let [found, least] = [-1, Infinity];
  boxes.forEach((box, n) => {
    const inside = at[0] >= box.x - slack && at[0] <= box.x + box.w + slack && at[1] >= box.y - slack && at[1] <= box.y + box.h + slack;
    if (inside && box.w * box.h < least) [found, least] = [n, box.w * box.h];
  });
  return found;
}
