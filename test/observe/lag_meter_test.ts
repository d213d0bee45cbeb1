import assert from "node:assert/strict";
import { test } from "node:test";
import { LagHistogram } from "../../src/observe/lag_histogram.ts";
import { LagMeter } from "../../src/run/lag_meter.ts";
import type { Roles } from "../../src/run/stages.ts";

test("LagMeter tells the lags since the last look, and loses none of the whole run", () => {
  const lags = [new LagHistogram(), new LagHistogram()] as const;
  // Of the kline actors it reads nothing else.
  const roles = { kline: { actors: lags.map((lag) => ({ lag })) } } as unknown as Roles;
  const meter = new LagMeter();
  assert.equal(meter.take({}).count, 0);
  lags[0].add(1, 10);
  lags[1].add(5, 30);
  assert.equal(meter.all(roles).count, 40);
  const first = meter.take(roles);
  assert.deepEqual([first.count, first.maxMs], [40, 5]);
  assert.equal(meter.take(roles).count, 0);
  lags[1].add(2);
  assert.equal(meter.all(roles).count, 41);
  const second = meter.take(roles);
  assert.deepEqual([second.count, second.maxMs], [1, 2]);
  assert.deepEqual([meter.total.count, meter.total.maxMs], [41, 5]);
});
