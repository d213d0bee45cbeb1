import type { KlineActor } from "../kline/kline.ts";
import { byCause, type Lines } from "../observe/account.ts";
import type { TickPersistActor } from "../persist/tick_persist.ts";
import type { ReaderLife, TickReader } from "./role_accounts.ts";

/** Most lives of a venue's publishers that an actor tells of, those that it heard last, so that an answer stays small. */
const MAX_LIVES = 4;

/** An actor that reads the ticks of a shard. */
type TickReaderActor = KlineActor | TickPersistActor;

/** What never came to an actor: ticks, and messages of which nobody knows how many ticks they held. */
export function lossesOf(actor: TickReaderActor): Lines {
  const { lostTicks, unknownBatches } = actor.status();
  return {
    lost: lostTicks,
    ...(unknownBatches > 0 ? { lost_messages: unknownBatches } : {}),
    ...byCause("unreadable_messages", actor.badMessages),
  };
}

/** All that a shard's actor shed, or did not get. */
export function shedBy(actor: TickReaderActor): Lines {
  const shed = ["too_late", "skipped", "bad_name"].map((fate) => [fate, actor.ticks.get(fate)] as const);
  const lines = { ...lossesOf(actor), ...Object.fromEntries(shed) };
  return Object.fromEntries(Object.entries(lines).filter(([, count]) => count > 0));
}

/** How far an actor has read what each life of a publisher numbered. */
export function readersOf(stage: TickReader, actor: TickReaderActor): ReaderLife[] {
  return [...actor.lives()].flatMap(([venue, lives]) =>
    [...lives].slice(-MAX_LIVES).map((life) => ({ stage, venue, shard: actor.shard, ...life })),
  );
}
