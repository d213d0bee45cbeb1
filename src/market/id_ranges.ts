/** Most ranges that one set keeps by default. */
const MAX_RANGES = 1024;

/**
 * A set of whole numbers that mostly grow by one, kept as sorted disjoint ranges: the trade ids of a market.
 *
 * Memory is bounded: beyond `maxRanges` the two lowest ranges become one. The ids of the hole between them then
 * count as known, so that the set may refuse an id it never saw but never takes one twice.
 */
export class IdRanges {
  readonly #firsts: number[] = [];
  readonly #lasts: number[] = [];
  readonly #maxRanges: number;
  #added = 0;

  /** @param maxRanges most ranges that it keeps, at least 1 */
  constructor(maxRanges: number = MAX_RANGES) {
    this.#maxRanges = maxRanges;
  }

  /** The lowest id; NaN while empty. */
  get first(): number {
    return this.#firsts[0] ?? Number.NaN;
  }

  /** The highest id; NaN while empty. */
  get last(): number {
    return this.#lasts[this.#lasts.length - 1] ?? Number.NaN;
  }

  /** How many ids between the lowest and the highest were never added, the ones of forgotten holes included. */
  get missing(): number {
    return this.#added === 0 ? 0 : this.last - this.first + 1 - this.#added;
  }

  get ranges(): number {
    return this.#firsts.length;
  }

  has(id: number): boolean {
    return id <= this.last && this.#lasts[this.#rangeBelow(id)]! >= id;
  }

  /** Adds an id, or says that it is there already. */
  add(id: number): "new" | "duplicate" {
    const top = this.#lasts.length - 1;
    if (top >= 0 && id === this.#lasts[top]! + 1) {
      this.#lasts[top] = id;
    } else {
      const below = this.#rangeBelow(id);
      if (below >= 0 && id <= this.#lasts[below]!) return "duplicate";
      this.#insert(id, below);
    }
    this.#added++;
    return "new";
  }

  #insert(id: number, below: number): void {
    const joinsBelow = below >= 0 && this.#lasts[below] === id - 1;
    const joinsAbove = this.#firsts[below + 1] === id + 1;
    if (joinsBelow && joinsAbove) {
      this.#joinWithNext(below);
    } else if (joinsBelow) {
      this.#lasts[below] = id;
    } else if (joinsAbove) {
      this.#firsts[below + 1] = id;
    } else {
      this.#firsts.splice(below + 1, 0, id);
      this.#lasts.splice(below + 1, 0, id);
      if (this.#firsts.length > this.#maxRanges) this.#joinWithNext(0);
    }
  }

  #joinWithNext(index: number): void {
    this.#firsts.splice(index + 1, 1);
    this.#lasts.splice(index, 1);
  }

  /** Index of the last range that starts at or below an id; -1 if all start above it. */
  #rangeBelow(id: number): number {
    let low = 0;
    let high = this.#firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#firsts[middle]! <= id) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
