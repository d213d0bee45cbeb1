const ZERO = 48;
const NINE = 57;
const POINT = 46;
/** A double carries every decimal of this many significant digits (IEEE 754). */
const MAX_SIGNIFICANT = 15;
/** `toUnits` and the wire go up to here. */
const MAX_DECIMALS = 22;
/** Longest text that is looked at; venues send below 30 characters. */
const MAX_LENGTH = 48;
const TOO_LARGE = 1e15;

export type DecimalFault = "malformed" | "imprecise";

/**
 * Reads positive decimals in plain notation (`0.01650000`), checking that a double carries them exactly. It is
 * reused: `value` and `decimals` are those of the last text that was read without fault.
 */
export class DecimalReader {
  value = 0;
  /** Decimal places without trailing zeros. */
  decimals = 0;

  /** What is wrong with the text, or undefined if it was read. */
  read(text: string): DecimalFault | undefined {
    const length = text.length;
    if (length === 0 || length > MAX_LENGTH) return "malformed";
    let point = -1;
    let firstDigit = -1;
    let lastDigit = -1;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code === POINT) {
        if (point >= 0 || i === 0 || i === length - 1) return "malformed";
        point = i;
      } else if (code < ZERO || code > NINE) {
        return "malformed";
      } else if (code !== ZERO) {
        if (firstDigit < 0) firstDigit = i;
        lastDigit = i;
      }
    }
    if (firstDigit < 0) return "malformed";
    const pointBetween = point > firstDigit && point < lastDigit ? 1 : 0;
    const decimals = point >= 0 && lastDigit > point ? lastDigit - point : 0;
    if (lastDigit - firstDigit + 1 - pointBetween > MAX_SIGNIFICANT || decimals > MAX_DECIMALS) {
      return "imprecise";
    }
    const value = Number(text);
    if (value >= TOO_LARGE) return "malformed";
    this.value = value;
    this.decimals = decimals;
    return undefined;
  }
}
