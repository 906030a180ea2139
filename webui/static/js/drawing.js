// What was drawn, step by step: undo, redo, and whether it is as it was saved.
const MOST = 200;

export class History {
  /** @param {any} first */
  constructor(first) {
    this.steps = [first];
    this.at = 0;
    this.kept = JSON.stringify(first);
  }

  get now() {
    return this.steps[this.at];
  }

  get canUndo() {
    return this.at > 0;
  }

  get canRedo() {
    return this.at < this.steps.length - 1;
  }

  get changed() {
    return JSON.stringify(this.now) !== this.kept;
  }

  /** Take a new state. within: the same movement goes on, so that undo takes it back whole. @param {any} next */
  put(next, within = false) {
    if (JSON.stringify(next) === JSON.stringify(this.now)) return;
    this.steps.length = this.at + 1;
    if (within && this.at > 0) this.steps[this.at] = next;
    else {
      this.steps.push(next);
      if (this.steps.length > MOST) this.steps.shift();
      this.at = this.steps.length - 1;
    }
  }

  undo() {
    if (this.canUndo) this.at -= 1;
  }

  redo() {
    if (this.canRedo) this.at += 1;
  }

  /** @param {any} state */
  saved(state) {
    this.kept = JSON.stringify(state);
  }
}
