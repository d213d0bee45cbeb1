/**
 * Prices and quantities are doubles that stand for decimals of at most 15 significant digits (see `Tick`). Here they
 * become whole numbers of `10 ** -decimals`, so that sums are exact, and text again.
 */

/** Below this, `Math.round(value * 10 ** decimals)` is exact: the two roundings err by less than a half. */
const EXACT_PRODUCT = 2 ** 51;
/** `10 ** n` is exact in a double up to here. */
const MAX_EXACT_POWER = 22;

const POWERS = Array.from({ length: MAX_EXACT_POWER + 1 }, (_, exponent) => Number(`1e${exponent}`));

/**
 * `value` as a whole number of `10 ** -decimals`, or NaN where a double does not carry that exactly; then
 * {@link toBigUnits} does.
 */
export function toUnits(value: number, decimals: number): number {
  const units = value * POWERS[decimals]!;
  return units < EXACT_PRODUCT ? Math.round(units) : Number.NaN;
}

/** `value` as a whole number of `10 ** -decimals`, of any size. `value` must not have more decimals than that. */
export function toBigUnits(value: number, decimals: number): bigint {
  const [digits, exponent] = value.toExponential().split("e");
  const [whole, fraction = ""] = digits!.split(".");
  return BigInt(whole + fraction) * 10n ** BigInt(decimals + Number(exponent) - fraction.length);
}

/**
 * Whole units of `10 ** -decimals` as plain decimal text without trailing zeros.
 *
 * @example
 * ```ts
 * formatUnits(123400n, 4); // "12.34"
 * ```
 */
export function formatUnits(units: bigint | number, decimals: number): string {
  const digits = units.toString();
  if (decimals === 0 || digits === "0") return digits;
  const padded = digits.length > decimals ? digits : digits.padStart(decimals + 1, "0");
  let end = padded.length;
  const point = end - decimals;
  while (end > point && padded.charCodeAt(end - 1) === 48) end--;
  return end === point ? padded.slice(0, point) : `${padded.slice(0, point)}.${padded.slice(point, end)}`;
}

/** A price or quantity as plain decimal text, never in exponent notation. */
export function formatDecimal(value: number): string {
  const text = String(value);
  if (!text.includes("e")) return text;
  const [digits, exponent] = value.toExponential().split("e");
  const fraction = digits!.split(".")[1] ?? "";
  const decimals = Math.max(0, fraction.length - Number(exponent));
  return formatUnits(toBigUnits(value, decimals), decimals);
}
