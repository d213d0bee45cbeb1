import type { Tally } from "./tally.ts";

/** Counts by cause. */
export type Counts = Iterable<readonly [cause: string, count: number]>;

/** A number that each source of a kind has, or its counts by cause. */
export interface Metric<Source> {
  readonly kind: "counter" | "gauge";
  /** Without the common prefix; with its unit, and `_total` for a counter. */
  readonly name: string;
  /** For an operator who does not know the code. */
  readonly help: string;
  /** Label of the causes, for counts. */
  readonly by?: string;
  readonly read: (source: Source) => number | Counts;
}

/** The sources of some metrics, with the labels that tell them apart, at the time of asking. */
export type Sources<Source> = () => Iterable<readonly [labels: Readonly<Record<string, string>>, Source]>;

/** A number that only goes up while its actor lives. */
export function counter<Source>(
  name: string,
  help: string,
  read: (source: Source) => number,
): Metric<Source> {
  return { kind: "counter", name, help, read };
}

/** The like, by cause. */
export function countsBy<Source>(
  by: string,
  name: string,
  help: string,
  read: (source: Source) => Counts,
): Metric<Source> {
  return { kind: "counter", name, help, by, read };
}

/** A number that goes up and down. */
export function gauge<Source>(name: string, help: string, read: (source: Source) => number): Metric<Source> {
  return { kind: "gauge", name, help, read };
}

/** A tally with nought for what did not happen yet, as far as it is known: an increase needs a beginning. */
export function* withNoughts(tally: Tally, causes: readonly string[]): Counts & Generator {
  for (const cause of causes) if (tally.get(cause) === 0) yield [cause, 0];
  yield* tally.entries();
}
