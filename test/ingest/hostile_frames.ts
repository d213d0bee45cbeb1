/** A frame that must be rejected, and the reason that it must be counted under. */
export interface HostileFrame {
  readonly frame: string | Buffer;
  readonly reason: string;
}

/** A trade as Binance sends it; hostile frames are made from it. */
export interface SampleTrade {
  readonly symbol: string;
  readonly id: number;
  readonly timeMs: number;
}

const SAMPLE: SampleTrade = { symbol: "BTCUSDT", id: 3_735_683_259, timeMs: 1_723_161_255_342 };
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const TEN_MEGABYTES = 10 * 1024 * 1024;

/** The text of a good trade frame. Prices and quantities follow from the id. */
export function tradeFrame({ symbol, id, timeMs }: SampleTrade): string {
  const price = `${60_000 + (id % 1000)}.${String(id % 100).padStart(2, "0")}000000`;
  return (
    `{"stream":"${symbol.toLowerCase()}@trade","data":{"e":"trade","E":${timeMs + 1},"s":"${symbol}",` +
    `"t":${id},"p":"${price}","q":"0.0${(id % 9) + 1}000000","T":${timeMs},"m":${id % 2 === 0},"M":true}}`
  );
}

/** Numbers of a seed, each from 0 to 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * More than 300 frames that an exchange should never send: some by system, some by chance. The good trades that
 * they are mixed into must be of about the same time and ids as the sample.
 */
export function hostileFrames(seed: number, sample: SampleTrade = SAMPLE): HostileFrame[] {
  const random = seededRandom(seed);
  return [
    ...wrongFields(sample),
    ...wrongShapes(sample),
    ...wrongTimesAndIds(sample),
    ...truncated(sample, random),
    ...scrambled(sample, random),
    { frame: `{"stream":"${"x".repeat(TEN_MEGABYTES)}"}`, reason: "oversized" },
    { frame: "[".repeat(TEN_MEGABYTES), reason: "oversized" },
    { frame: Buffer.from(tradeFrame(sample)), reason: "binary" },
    { frame: Buffer.from([0xff, 0xfe, 0x00, 0x01]), reason: "binary" },
    { frame: Buffer.alloc(0), reason: "binary" },
  ];
}

const REASONS: Readonly<Record<string, string>> = {
  s: "symbol",
  t: "trade_id",
  p: "price",
  q: "quantity",
  T: "trade_time",
  E: "event_time",
  m: "side",
};

/** Every field with every value that it must not have, as JSON text. */
function wrongFields(sample: SampleTrade): HostileFrame[] {
  const neverGood = [
    "null",
    "{}",
    "[]",
    "[1]",
    '{"valueOf":1}',
    '{"__proto__":{"x":1}}',
    "1e400",
    "-1e400",
    "-1",
    "1.5",
  ];
  const out: HostileFrame[] = [];
  for (const [field, reason] of Object.entries(REASONS)) {
    for (const value of neverGood) out.push({ frame: withField(sample, field, value), reason });
    out.push({ frame: withoutField(sample, field), reason });
  }
  for (const field of ["t", "T", "E"]) {
    const values = ['"1"', "true", "9007199254740993", "1e30", '"NaN"', "0.1", "-9e15", "1e-7"];
    for (const value of values) out.push({ frame: withField(sample, field, value), reason: REASONS[field]! });
  }
  for (const field of ["p", "q"]) {
    const values = [
      "",
      "0",
      "0.0000",
      "-1.5",
      "+1",
      "1e5",
      "NaN",
      "Infinity",
      "1e400",
      "0x1f",
      "1,5",
      " 1",
      "1 ",
      ".5",
      "5.",
    ];
    for (const value of [...values, "1.2.3", "--1", "١", "9".repeat(40), "null", "9".repeat(5000)]) {
      const reason = value.length === 40 ? "precision" : REASONS[field]!;
      out.push({ frame: withField(sample, field, JSON.stringify(value)), reason });
    }
    for (const value of ["1234567890.1234567", "0.12345678901234567"]) {
      out.push({ frame: withField(sample, field, JSON.stringify(value)), reason: "precision" });
    }
  }
  for (const value of ['"true"', "0", '"false"']) {
    out.push({ frame: withField(sample, "m", value), reason: "side" });
  }
  return out;
}

function wrongShapes(sample: SampleTrade): HostileFrame[] {
  const good = tradeFrame(sample);
  const texts = [
    "null",
    "true",
    "42",
    '"text"',
    "[]",
    "{}",
    '{"stream":1,"data":{}}',
    '{"data":null}',
    '{"stream":"a"}',
  ];
  const shapes = [
    ...texts,
    `[${good}]`,
    `{"__proto__":${good}}`,
    `{"constructor":{"prototype":${good}}}`,
    good.replace('"data":', '"__proto__":'),
    good.replace('"e":"trade"', '"e":"liquidation"'),
    good.replace('"e":"trade"', '"e":["trade"]'),
    good.replace('"stream":"', '"stream":5,"x":"'),
    '{"result":{},"id":1}',
    '{"error":"x","id":1}',
    '{"result":null}',
  ];
  const out: HostileFrame[] = shapes.map((frame) => ({ frame, reason: "shape" }));
  for (const symbol of [
    "DOGEUSDT",
    "btcusdt",
    "",
    "BTCUSDT ",
    "__proto__",
    "constructor",
    "toString",
    "BTC\\u0000USDT",
  ]) {
    out.push({ frame: withField(sample, "s", `"${symbol}"`), reason: "unknown_symbol" });
  }
  out.push({ frame: good.replace(/"stream":"[^"]*"/, '"stream":"nobody@trade"'), reason: "stream_mismatch" });
  for (const text of [
    "",
    " ",
    "NaN",
    "undefined",
    "{'e':'trade'}",
    `${good}${good}`,
    `\uFEFF${good}`,
    `${good},`,
    "\0",
  ]) {
    out.push({ frame: text, reason: "not_json" });
  }
  return out;
}

function wrongTimesAndIds(sample: SampleTrade): HostileFrame[] {
  const { id, timeMs } = sample;
  // An id that no good trade has: a known one would be a duplicate, whatever its time.
  const unused = { ...sample, id: id + 50_000 };
  const out: HostileFrame[] = [];
  for (const aheadMs of [2 * HOUR_MS, DAY_MS, 365 * DAY_MS, 20 * 365 * DAY_MS]) {
    out.push({ frame: tradeFrame({ ...unused, timeMs: timeMs + aheadMs }), reason: "time_jump" });
    out.push({ frame: withField(sample, "T", String(timeMs + aheadMs)), reason: "time_skew" });
  }
  for (const behindMs of [2 * HOUR_MS, DAY_MS, 365 * DAY_MS, 15 * 365 * DAY_MS]) {
    out.push({
      frame: tradeFrame({ ...unused, timeMs: timeMs - behindMs }),
      reason: "time_past",
    });
    out.push({ frame: withField(sample, "E", String(timeMs - behindMs)), reason: "time_skew" });
  }
  for (const field of ["T", "E"]) {
    for (const factor of [1e-3, 1e3]) {
      out.push({ frame: withField(sample, field, String(Math.floor(timeMs * factor))), reason: "time_unit" });
    }
  }
  for (const ahead of [1_000_000, 1e9, Number.MAX_SAFE_INTEGER - id]) {
    out.push({ frame: tradeFrame({ ...sample, id: id + ahead }), reason: "id_jump" });
  }
  for (const low of [0, 1, id - 10_000_000, id - 200_000]) {
    out.push({ frame: tradeFrame({ ...sample, id: low }), reason: "stale_id" });
  }
  return out;
}

function truncated(sample: SampleTrade, random: () => number): HostileFrame[] {
  const good = tradeFrame(sample);
  return Array.from({ length: 60 }, () => ({
    frame: good.slice(0, 1 + Math.floor(random() * (good.length - 1))),
    reason: "not_json",
  }));
}

/** Good frames with a character that JSON does not allow outside of strings put between two tokens. */
function scrambled(sample: SampleTrade, random: () => number): HostileFrame[] {
  const good = tradeFrame(sample);
  const seams = [...good.matchAll(/[{}:,]/g)].map(({ index }) => index);
  return Array.from({ length: 60 }, () => {
    const at = seams[Math.floor(random() * seams.length)]!;
    const junk = "#@;\\'`~^=<\u0001\u2028"[Math.floor(random() * 12)]!;
    return { frame: `${good.slice(0, at)}${junk}${good.slice(at)}`, reason: "not_json" };
  });
}

function withField(sample: SampleTrade, field: string, json: string): string {
  return tradeFrame(sample).replace(fieldPattern(field), () => `"${field}":${json}`);
}

function withoutField(sample: SampleTrade, field: string): string {
  return tradeFrame(sample).replace(fieldPattern(field), () => `"${field}${field}":0`);
}

function fieldPattern(field: string): RegExp {
  return new RegExp(`"${field}":("[^"]*"|[^,}]*)`);
}
