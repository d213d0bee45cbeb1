/** A lease lasts this long, by its holder's clock, from when its latest renewal was sent; it ends with the connection. */
export const LEASE_MS = 3_000;
/**
 * A lease that is seen unchanged for this long, by another's clock, has ended. The difference is what two clocks may
 * run apart within it.
 */
export const TAKE_AFTER_MS = 3_500;

/**
 * Why a lease ended. `handed_over`: it is another worker's turn; `stopped`: this process stops. In both cases the
 * piece is still held: finish it, then return. `lost`: it is held no more, and somebody else may have it already.
 */
export type LeaseEnd = "handed_over" | "stopped" | "lost";

/** The reason of a lease's signal. */
export class LeaseEndError extends Error {
  /** As whatever else an aborted signal throws. */
  override readonly name = "AbortError";
  readonly end: LeaseEnd;

  constructor(piece: string, end: LeaseEnd) {
    super(`The lease of "${piece}" has ended: ${end}`);
    this.end = end;
  }
}

/** The right to do a piece of work alone. */
export interface Lease {
  readonly piece: string;
  /** Fencing token: every later lease of the piece has a greater one. */
  readonly token: number;
  /** Aborted with a {@link LeaseEndError} when the work shall end. */
  readonly signal: AbortSignal;
  /** Absent until the signal is aborted. */
  readonly end: LeaseEnd | undefined;
  /**
   * Whether it is held now. Ask before everything that only its holder may do, and do that in the same turn of the
   * event loop. It becomes true again when the lease could not be renewed for a while and nobody took it meanwhile.
   */
  isHeld(): boolean;
  /** Whether it is not held and never will be: lost, or given back. */
  isOver(): boolean;
}
