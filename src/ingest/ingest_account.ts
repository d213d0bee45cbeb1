import { Tally } from "../observe/tally.ts";

/** What an ingest actor did so far, and how its feeds are. Everything that came in is accounted for here. */
export interface IngestAccount {
  readonly venue: string;
  readonly markets: number;
  /** Markets whose feed is connected now. */
  readonly connectedMarkets: number;
  /** Frames of any kind. */
  readonly frames: number;
  /** Known frames that are of no use. */
  readonly ignored: number;
  /** Trades, and frames that may have been trades: accepted, duplicates, rejected or held. */
  readonly received: number;
  /** Distinct, plausible trades: kept, passed, collected, under way, confirmed, unconfirmed or dropped. */
  readonly accepted: number;
  readonly duplicates: number;
  /** Invalid frames and implausible trades, by reason. */
  readonly rejected: Tally;
  /** Trades that wait for others to confirm what they say. */
  readonly held: number;
  /** Trades that the venue numbered and that have not come. */
  readonly missing: number;
  /** Trades of the last seconds, kept in case the process dies that publishes them. */
  readonly kept: number;
  /** Trades of the time when it did not lead that are kept no longer: whoever leads publishes them. */
  readonly passed: number;
  /** Ticks in messages that are being made. */
  readonly collectedTicks: number;
  /** Ticks that were handed to NATS, whatever it said to it. */
  readonly publishedTicks: number;
  /** Of these, the ones that NATS has not answered yet. */
  readonly underWayTicks: number;
  /** Ticks that are in the stream for sure. */
  readonly confirmedTicks: number;
  /** By cause: ticks that were sent and not confirmed; they may be in the stream all the same. */
  readonly unconfirmedTicks: Tally;
  /** By cause: ticks that NATS did not take, or refused. */
  readonly droppedTicks: Tally;
  /** Connections that were opened, and that took over from an ageing one. */
  readonly connections: number;
  readonly rollovers: number;
  /** Connections and attempts that ended, by cause. */
  readonly connectionEnds: Tally;
  readonly refusedSubscriptions: number;
  /** How often the venue's sockets were paused for lack of room. */
  readonly pauses: number;
  /** The latest trade time that is certain, ms by the venue's clock; 0 before the first. */
  readonly venueMs: number;
  /** From the venue's matching of the last accepted trade to its receipt here, ms, by two different clocks. */
  readonly receiveLagMs: number;
}

/**
 * What a restarted actor did in all its lives; how things are now is what the latest one says, which also knows of the
 * messages of all.
 */
export function addAccounts(past: IngestAccount, now: IngestAccount): IngestAccount {
  return {
    ...now,
    frames: past.frames + now.frames,
    ignored: past.ignored + now.ignored,
    received: past.received + now.received,
    accepted: past.accepted + now.accepted,
    duplicates: past.duplicates + now.duplicates,
    rejected: sumTallies([past.rejected, now.rejected]),
    missing: past.missing + now.missing,
    connections: past.connections + now.connections,
    rollovers: past.rollovers + now.rollovers,
    connectionEnds: sumTallies([past.connectionEnds, now.connectionEnds]),
    refusedSubscriptions: past.refusedSubscriptions + now.refusedSubscriptions,
    pauses: past.pauses + now.pauses,
  };
}

/** The sum of some tallies. */
export function sumTallies(tallies: readonly Tally[]): Tally {
  const sum = new Tally();
  for (const tally of tallies) {
    for (const [cause, count] of tally.entries()) sum.add(cause, count);
  }
  return sum;
}
