import { z } from "zod";

/**
 * What Binance spot sends on its market streams (developers.binance.com, "WebSocket Streams"). Fields that are not
 * listed are tolerated: Binance adds some now and then.
 */

const MAX_NAME_LENGTH = 64;
const name = z.string().max(MAX_NAME_LENGTH);
const requestId = z.union([z.number(), z.string().max(MAX_NAME_LENGTH), z.null()]);

/** A trade on a raw stream; times are checked by the reader, which can name a wrong unit. */
export const tradeEventSchema = z.object({
  e: z.literal("trade"),
  E: z.number(),
  s: name,
  t: z.int().min(0),
  p: z.string(),
  q: z.string(),
  T: z.number(),
  m: z.boolean(),
});

export type TradeEvent = z.infer<typeof tradeEventSchema>;

/** A trade on a combined stream. */
export const combinedTradeSchema = z.object({ stream: name, data: tradeEventSchema });

/** The answer to a request: `{"result":null,"id":1}`. */
export const ackSchema = z.object({ result: z.union([z.null(), z.array(name)]), id: requestId });

/** A refused request, in today's shape and in the one before 2022. */
export const refusalSchema = z.union([
  z.object({ error: z.object({ code: z.number(), msg: z.string() }), id: requestId.optional() }),
  z.object({ code: z.number(), msg: z.string(), id: requestId.optional() }),
]);

/** Events of the other market streams. */
export const otherEventSchema = z.object({
  e: z.enum([
    "aggTrade",
    "kline",
    "depthUpdate",
    "bookTicker",
    "24hrMiniTicker",
    "24hrTicker",
    "1hTicker",
    "4hTicker",
    "1dTicker",
    "avgPrice",
    "serverShutdown",
  ]),
});

/** Best prices and partial books, the two events that do not name themselves. */
export const namelessEventSchema = z.union([
  z.object({ u: z.number(), s: name, b: z.string(), a: z.string() }),
  z.object({ lastUpdateId: z.number(), bids: z.array(z.unknown()), asks: z.array(z.unknown()) }),
]);

/** The envelope of any combined stream. */
export const combinedSchema = z.object({ stream: name, data: z.unknown() });
