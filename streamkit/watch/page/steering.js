// Pointer, wheel and keyboard over the lanes: what they mean, and nothing of how it is done.

/**
 * What can be done with the lanes.
 *
 * @typedef {{
 *   point: (x: number, y: number) => void,
 *   pick: (x: number, y: number) => void,
 *   leave: () => boolean,
 *   go: (by: number) => void,
 *   cross: (by: 1 | -1) => void,
 *   zoom: (factor: number, x?: number) => void,
 *   pan: (pixels: number) => boolean,
 *   showAll: () => void,
 * }} Helm
 */

const DRAG = 4;

/**
 * Listen.
 *
 * @param {HTMLElement} place
 * @param {Helm} helm
 */
export function steer(place, helm) {
  const pointers = new Pointers(place, helm);
  place.addEventListener('pointerdown', (event) => pointers.down(event));
  place.addEventListener('pointermove', (event) => pointers.move(event));
  place.addEventListener('pointerup', (event) => pointers.up(event));
  place.addEventListener('pointercancel', (event) => pointers.cancel(event));
  place.addEventListener('dblclick', (event) => helm.zoom(1 / 3, event.offsetX));
  place.addEventListener('wheel', (event) => turned(event, helm), { passive: false });
  place.addEventListener('keydown', (event) => pressed(event, helm));
}

/** The fingers, or the mouse: one points, picks and moves; two zoom. */
class Pointers {
  /** @param {HTMLElement} place @param {Helm} helm */
  constructor(place, helm) {
    this._place = place;
    this._helm = helm;
    /** @type {Map<number, number>} where each is that is down */
    this._at = new Map();
    this._isDragged = false;
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (event.button) return;
    this._at.set(event.pointerId, event.offsetX);
    this._isDragged = this._at.size > 1;
    this._place.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const x = event.offsetX;
    const before = this._at.get(event.pointerId);
    if (before === undefined) {
      this._helm.point(x, event.offsetY);
      return;
    }
    if (!this._isDragged && Math.abs(x - before) < DRAG) return;
    this._isDragged = true;
    this._at.set(event.pointerId, x);
    const other = [...this._at].find(([id]) => id !== event.pointerId)?.[1];
    if (other === undefined) this._helm.pan(before - x);
    else if (Math.abs(x - other) > DRAG) this._helm.zoom(Math.abs(before - other) / Math.abs(x - other), other);
  }

  /** @param {PointerEvent} event */
  up(event) {
    if (this._at.delete(event.pointerId) && !this._isDragged) this._helm.pick(event.offsetX, event.offsetY);
  }

  /** @param {PointerEvent} event */
  cancel(event) {
    this._at.delete(event.pointerId);
  }
}

/** The wheel alone scrolls the page. @param {WheelEvent} event @param {Helm} helm */
function turned(event, helm) {
  const { deltaX, deltaY } = event;
  const isAcross = event.shiftKey || Math.abs(deltaX) > Math.abs(deltaY);
  if (event.ctrlKey || event.metaKey) helm.zoom(2 ** (deltaY / 200), event.offsetX);
  else if (!isAcross || !helm.pan(event.shiftKey ? deltaY || deltaX : deltaX)) return;
  event.preventDefault();
}

/** @param {KeyboardEvent} event @param {Helm} helm */
function pressed(event, helm) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const step = event.shiftKey ? 10 : 1;
  /** @type {{[key: string]: () => void}} */
  const keys = {
    ArrowRight: () => helm.go(step),
    ArrowLeft: () => helm.go(-step),
    ArrowDown: () => helm.cross(1),
    ArrowUp: () => helm.cross(-1),
    Home: () => helm.go(-Infinity),
    End: () => helm.go(Infinity),
    '+': () => helm.zoom(0.5),
    '=': () => helm.zoom(0.5),
    '-': () => helm.zoom(2),
    0: () => helm.showAll(),
  };
  if (Object.hasOwn(keys, event.key)) keys[event.key]();
  else if (event.key !== 'Escape' || !helm.leave()) return; // Escape stops the answer where nothing is selected here
  event.preventDefault();
  event.stopPropagation();
}
