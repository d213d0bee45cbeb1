import { formatUnits } from "../market/decimal.ts";

/** A sum as it is kept in a snapshot: a safe integer, or a larger one in text. */
export type SavedSum = number | string;

/**
 * A sum of non-negative whole numbers without rounding and without an allocation a number: a double carries it up to
 * 2^53, and what exceeds that moves into a bigint.
 */
export class ExactSum {
  #low = 0;
  #high = 0n;

  /** The sum that {@link save} gave; of a bigint in text, for msgpack has none. */
  static load(saved: SavedSum): ExactSum {
    const sum = new ExactSum();
    if (typeof saved === "number") sum.#low = saved;
    else sum.#high = BigInt(saved);
    return sum;
  }

  /** Adds a safe integer. */
  add(units: number): void {
    const sum = this.#low + units;
    if (sum <= Number.MAX_SAFE_INTEGER) {
      this.#low = sum;
    } else {
      this.#high += BigInt(this.#low) + BigInt(units);
      this.#low = 0;
    }
  }

  /** Adds a whole number of any size. */
  addBig(units: bigint): void {
    this.#high += units;
  }

  /** Adds all of another sum. */
  merge(other: ExactSum): void {
    this.add(other.#low);
    if (other.#high !== 0n) this.#high += other.#high;
  }

  /** Makes each unit `10 ** decimals` times finer. */
  refine(decimals: number): void {
    this.#high = this.toBigInt() * 10n ** BigInt(decimals);
    this.#low = 0;
  }

  toBigInt(): bigint {
    return this.#high + BigInt(this.#low);
  }

  save(): SavedSum {
    return this.#high === 0n ? this.#low : this.toBigInt().toString();
  }

  /** The sum as plain decimal text, its units being `10 ** -decimals`. */
  format(decimals: number): string {
    return formatUnits(this.#high === 0n ? this.#low : this.toBigInt(), decimals);
  }
}
