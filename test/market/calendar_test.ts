import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createCalendar } from "../../src/market/calendar.ts";
import { INTERVALS, type Interval } from "../../src/market/interval.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Zones with whole, half and quarter hours, with daylight saving of an hour and of half, and with a day left out. */
const ZONES = [
  "UTC",
  "Asia/Shanghai",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "America/New_York",
  "Europe/London",
  "America/Sao_Paulo",
  "Australia/Lord_Howe",
  "Pacific/Apia",
];

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** Start of the candle that holds an instant, as text. */
function openOf(timeZone: string, interval: Interval, instant: string): string {
  return iso(createCalendar(timeZone).openOf(interval, Date.parse(instant)));
}

test("Calendar aligns fixed intervals to the epoch, in every zone", () => {
  assert.equal(openOf("Asia/Kolkata", "1h", "2026-03-01T10:59:59.999Z"), "2026-03-01T10:00:00.000Z");
  assert.equal(openOf("Asia/Kolkata", "12h", "2026-03-01T11:59:00Z"), "2026-03-01T00:00:00.000Z");
  assert.equal(openOf("UTC", "8h", "2026-03-01T15:00:00Z"), "2026-03-01T08:00:00.000Z");
});

test("Calendar aligns weeks to Monday, months to the 1st and three days to the epoch, as Binance does", () => {
  assert.equal(openOf("UTC", "1w", "2026-11-25T12:00:00Z"), "2026-11-23T00:00:00.000Z");
  assert.equal(openOf("UTC", "1w", "2026-11-23T00:00:00Z"), "2026-11-23T00:00:00.000Z");
  assert.equal(openOf("UTC", "1M", "2024-02-29T23:59:59Z"), "2024-02-01T00:00:00.000Z");
  assert.equal(Date.parse(openOf("UTC", "3d", "2026-11-25T12:00:00Z")) % (3 * DAY_MS), 0);
});

test("Calendar follows daylight saving: a local day has 23, 24 or 25 hours", () => {
  const newYork = createCalendar("America/New_York");
  const hoursFrom = (instant: string) => {
    const openMs = newYork.openOf("1d", Date.parse(instant));
    return (newYork.endOf("1d", openMs) - openMs) / HOUR_MS;
  };
  assert.equal(hoursFrom("2026-03-08T12:00:00Z"), 23);
  assert.equal(hoursFrom("2026-11-01T12:00:00Z"), 25);
  assert.equal(hoursFrom("2026-07-01T12:00:00Z"), 24);
  assert.equal(openOf("America/New_York", "1d", "2026-03-09T03:59:59Z"), "2026-03-08T05:00:00.000Z");
});

test("Calendar begins a day at its first instant where clocks skip midnight, and knows of days left out", () => {
  // Brazil's clocks went from 00:00 to 01:00 on 4 November 2018.
  assert.equal(openOf("America/Sao_Paulo", "1d", "2018-11-04T12:00:00Z"), "2018-11-04T03:00:00.000Z");
  // Samoa had no 30 December 2011: the day before ends where the 31st begins.
  const apia = createCalendar("Pacific/Apia");
  const lastMs = apia.openOf("1d", Date.parse("2011-12-30T09:59:59Z"));
  assert.equal(iso(lastMs), "2011-12-29T10:00:00.000Z");
  assert.equal(iso(apia.openOf("1d", Date.parse("2011-12-30T10:00:00Z"))), "2011-12-30T10:00:00.000Z");
});

test("Calendar cuts time into candles without gap or overlap, in any zone and interval", () => {
  const instant = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2049, 0, 1) });
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      fc.constantFrom(...INTERVALS),
      instant,
      (zone, interval, timeMs) => {
        const calendar = createCalendar(zone);
        const openMs = calendar.openOf(interval, timeMs);
        const endMs = calendar.endOf(interval, openMs);
        assert.ok(openMs <= timeMs && timeMs < endMs);
        assert.equal(calendar.openOf(interval, openMs), openMs);
        assert.equal(calendar.openOf(interval, endMs - 1), openMs);
        assert.equal(calendar.openOf(interval, endMs), endMs);
      },
    ),
    { numRuns: 500 },
  );
});

test("Calendar.nests() says so only where every larger candle is made of whole smaller ones", () => {
  const instant = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2049, 0, 1) });
  const interval = fc.constantFrom(...INTERVALS);
  fc.assert(
    fc.property(fc.constantFrom(...ZONES), interval, interval, instant, (zone, inner, outer, timeMs) => {
      const calendar = createCalendar(zone);
      if (inner === outer || !calendar.nests(inner, outer)) return;
      const openMs = calendar.openOf(outer, timeMs);
      const endMs = calendar.endOf(outer, openMs);
      assert.equal(calendar.openOf(inner, openMs), openMs);
      assert.equal(calendar.openOf(inner, endMs), endMs);
    }),
    { numRuns: 1_000 },
  );
  assert.equal(createCalendar("UTC").nests("1h", "1d"), true);
  assert.equal(createCalendar("Asia/Kolkata").nests("1h", "1d"), false);
  assert.equal(createCalendar("Asia/Kolkata").nests("30m", "1d"), true);
  assert.equal(createCalendar("UTC").nests("1w", "1M"), false);
});

test("createCalendar() refuses a zone that there is not", () => {
  assert.throws(() => createCalendar("Mars/Olympus"), RangeError);
});
