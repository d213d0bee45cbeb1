import { Tally } from "../observe/tally.ts";

/** What a feed did so far. */
export class FeedAccount {
  /** Frames of any kind. */
  frames = 0;
  /** Frames that are known and of no use here. */
  ignored = 0;
  /** Connections that were opened. */
  connections = 0;
  /** Connections that took over from an ageing one. */
  rollovers = 0;
  /** Subscribe requests that the venue refused. */
  refusals = 0;
  /** Connections and attempts that ended, by cause. */
  readonly ends = new Tally();
}
