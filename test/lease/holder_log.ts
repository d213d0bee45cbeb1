import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { Lease } from "../../src/lease/lease.ts";

const SAMPLE_MS = 5;

/** A moment, in ns on the clock that all processes of the machine share, at which a lease was held. */
export interface Held {
  readonly piece: string;
  readonly token: number;
  readonly atNs: number;
}

/** Work that does nothing but say, over and over, that it holds its piece; it does not end before a loss is seen. */
export async function sayWhileHeld(lease: Lease, say: (held: Held) => void): Promise<void> {
  while (!lease.signal.aborted) {
    // Before the question: whatever stops the process in between, the lease was held at this time.
    const atNs = Number(process.hrtime.bigint());
    if (lease.isHeld()) say({ piece: lease.piece, token: lease.token, atNs });
    await delay(SAMPLE_MS);
  }
}

/** What all holders said: at most a first and a last time for each lease. */
export class HolderLog {
  readonly #spans = new Map<string, Map<number, { firstNs: number; lastNs: number; worker: string }>>();

  add(worker: string, { piece, token, atNs }: Held): void {
    const tokens = this.#spans.get(piece) ?? new Map();
    this.#spans.set(piece, tokens);
    const span = tokens.get(token);
    if (span === undefined) tokens.set(token, { firstNs: atNs, lastNs: atNs, worker });
    else {
      assert.equal(span.worker, worker, `token ${token} of ${piece} belongs to one worker`);
      span.firstNs = Math.min(span.firstNs, atNs);
      span.lastNs = Math.max(span.lastNs, atNs);
    }
  }

  /** How many leases of a piece there were. */
  leases(piece: string): number {
    return this.#spans.get(piece)?.size ?? 0;
  }

  /** Asserts that no two holders held the same piece at the same time, and that later ones have greater tokens. */
  assertExclusive(): void {
    for (const [piece, tokens] of this.#spans) {
      const spans = [...tokens].sort(([a], [b]) => a - b);
      for (const [i, [token, span]] of spans.entries()) {
        const next = spans[i + 1];
        if (next === undefined) break;
        const overlapNs = span.lastNs - next[1].firstNs;
        assert.ok(
          overlapNs < 0,
          `${piece}: ${token} of ${span.worker} was held ${overlapNs} ns into ${next[0]} of ${next[1].worker}`,
        );
      }
    }
  }
}
