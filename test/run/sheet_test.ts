import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReaderLife, RoleAccounts } from "../../src/run/role_accounts.ts";
import { createSheet } from "../../src/run/sheet.ts";
import { sheetText } from "../../src/run/sheet_text.ts";

const EPOCH = 7_300_000_000_000;
const nobody = { running: [], accounts: [], publishers: [], readers: [], losses: [] };
const publisher = { venue: "sim", shard: 3, epoch: EPOCH, numbered: 100 };
const reader: ReaderLife = {
  stage: "kline",
  venue: "sim",
  shard: 3,
  epoch: EPOCH,
  from: 20,
  taken: 60,
  lost: 5,
  to: 85,
};

function rolesOf(own: Partial<ReaderLife> = {}): RoleAccounts[] {
  return [
    { ...nobody, role: "ingest", pid: 1, publishers: [publisher] },
    { ...nobody, role: "kline", pid: 2, readers: [{ ...reader, ...own }] },
  ];
}

test("createSheet() finds every tick of a publisher before, in, behind or lost to a reader", () => {
  const { stages, unexplained } = createSheet(rolesOf());
  assert.deepEqual(stages, [
    {
      stage: "to_kline",
      unit: "ticks",
      came: { numbered: 100 },
      became: { before_reader: 20, taken: 60, lost: 5, to_read: 15 },
      beside: {},
    },
  ]);
  assert.equal(unexplained, 0);
});

test("createSheet() says who has read what nobody sent, and what a reader passed over", () => {
  const ahead = createSheet(rolesOf({ taken: 80, to: 105 }));
  assert.deepEqual(ahead.imbalances, [
    { where: "ticks of sim to kline of shard 3 in process 2", unit: "ticks", unexplained: -5 },
  ]);
  const careless = createSheet(rolesOf({ lost: 3 }));
  assert.deepEqual(
    careless.imbalances.map(({ unexplained }) => unexplained),
    [2],
  );
  const both = [...rolesOf({ taken: 80, to: 105 }), ...rolesOf({ lost: 3 })];
  assert.equal(createSheet(both).unexplained, 5 + 2);
});

test("createSheet() compares with no publisher but the one that was read", () => {
  for (const other of [{ epoch: EPOCH + 1 }, { shard: 4 }, { venue: "binance" }]) {
    const { stages, unexplained } = createSheet(rolesOf({ ...other, taken: 800, to: 825 }));
    assert.deepEqual([stages, unexplained], [[], 0]);
  }
});

test("createSheet() adds up processes and orders stages and losses as the data flows", () => {
  const kline = (pid: number, read: number, accepted: number): RoleAccounts => ({
    ...nobody,
    role: "kline",
    pid,
    accounts: [{ stage: "kline", unit: "ticks", came: { read }, became: { accepted, late: 0 }, beside: {} }],
    losses: [{ stage: "kline", shard: 2 + pid, lines: { lost: pid } }],
  });
  const ingest: RoleAccounts = {
    ...nobody,
    role: "ingest",
    pid: 9,
    accounts: [
      {
        stage: "ingest",
        unit: "ticks",
        came: { received: 1 },
        became: { accepted: 1 },
        beside: { markets: 2 },
      },
    ],
    losses: [
      { stage: "publish", shard: 4, lines: { "dropped:timeout": 12 } },
      { stage: "publish", shard: 5, lines: {} },
    ],
  };
  const sheet = createSheet([kline(2, 10, 9), kline(1, 20, 20), ingest]);
  assert.deepEqual(
    sheet.stages.map(({ stage, came }) => [stage, came]),
    [
      ["ingest", { received: 1 }],
      ["kline", { read: 30 }],
    ],
  );
  assert.deepEqual(
    sheet.losses.map(({ shard, stage }) => `${shard} ${stage}`),
    ["3 kline", "4 publish", "4 kline"],
  );
  assert.equal(
    sheetText(sheet),
    `
ingest: what the venues sent, in ticks
  received        1
    accepted      1
    unexplained   0
  beside that: markets 2

kline: ticks that kline read, in ticks
  read           30
    accepted     29
    late          0  in candles that were closed already
    unexplained   1

shard  stage    shed and lost
    3  kline    lost 1
    4  publish  dropped:timeout 12
    4  kline    lost 2

unexplained 1
  kline of process 2: 1 ticks came and are nowhere`.slice(1),
  );
});
