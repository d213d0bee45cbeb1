import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { divide, weightOf } from "../../src/lease/division.ts";

const workerIds = fc.uniqueArray(fc.stringMatching(/^[0-9a-f]{12}$/), { minLength: 1, maxLength: 8 });
const pieceCount = fc.integer({ min: 1, max: 24 });

const piecesOf = (count: number) => Array.from({ length: count }, (_, shard) => `kline.${shard}`);
const offersOf = (workers: readonly string[], pieces: readonly string[]) =>
  new Map(workers.map((worker) => [worker, new Set(pieces)]));

function loads(workers: readonly string[], division: ReadonlyMap<string, string>): number[] {
  return workers.map((worker) => [...division.values()].filter((owner) => owner === worker).length);
}

function moved(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  return [...after].filter(([piece, owner]) => before.get(piece) !== owner).map(([piece]) => piece);
}

function assertEven(workers: readonly string[], division: ReadonlyMap<string, string>): void {
  const counts = loads(workers, division);
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `loads ${counts}`);
}

test("divide() is even, complete, the same for all and settled at once, whoever has what", () => {
  fc.assert(
    fc.property(workerIds, pieceCount, fc.infiniteStream(fc.nat()), (workers, count, choices) => {
      const pieces = piecesOf(count);
      const choice = choices[Symbol.iterator]();
      const owners = new Map<string, string>();
      for (const piece of pieces) {
        const owner = [...workers, "dead", undefined][choice.next().value % (workers.length + 2)];
        if (owner !== undefined) owners.set(piece, owner);
      }
      const division = divide(offersOf(workers, pieces), owners);
      assert.equal(division.size, count);
      assertEven(workers, division);
      assert.deepEqual(divide(offersOf(workers.toReversed(), pieces.toReversed()), owners), division);
      assert.deepEqual(divide(offersOf(workers, pieces), division), division);
      // No division that is even moves fewer pieces: each worker keeps all up to its share.
      const share = Math.floor(count / workers.length);
      const had = workers.map((worker) => pieces.filter((piece) => owners.get(piece) === worker).length);
      let extras = count % workers.length;
      const kept = had.reduce(
        (sum, n) => sum + (n > share && extras-- > 0 ? share + 1 : Math.min(n, share)),
        0,
      );
      assert.equal(moved(owners, division).length, count - kept);
    }),
  );
});

test("divide() moves to a worker that joins its share, and of one that leaves what it had, and nothing else", () => {
  fc.assert(
    fc.property(workerIds, pieceCount, ([joiner, ...others], count) => {
      fc.pre(joiner !== undefined && others.length > 0);
      const pieces = piecesOf(count);
      const without = divide(offersOf(others, pieces), new Map());
      const joined = divide(offersOf([joiner, ...others], pieces), without);
      const arrived = moved(without, joined);
      assert.ok(arrived.every((piece) => joined.get(piece) === joiner));
      assert.equal(arrived.length, Math.floor(count / (others.length + 1)));
      const left = divide(offersOf(others, pieces), joined);
      assert.deepEqual(moved(joined, left).sort(), arrived.sort());
    }),
  );
});

test("divide() stays as it was while those who start take their pieces in any order", () => {
  fc.assert(
    fc.property(workerIds, pieceCount, fc.infiniteStream(fc.nat()), (workers, count, choices) => {
      const pieces = piecesOf(count);
      const offers = offersOf(workers, pieces);
      const division = divide(offers, new Map());
      const choice = choices[Symbol.iterator]();
      const taken = new Map<string, string>();
      for (const piece of pieces) {
        if (choice.next().value % 2 === 0) taken.set(piece, division.get(piece)!);
      }
      assert.deepEqual(divide(offers, taken), division);
    }),
  );
});

test("divide() gives a piece only to those who offer it, each kind evenly", () => {
  const offers = new Map([
    ["a", new Set(["kline.0", "kline.1", "kline.2", "kline.3", "candles"])],
    ["b", new Set(["kline.0", "kline.1", "kline.2", "kline.3", "ingest.binance"])],
    ["c", new Set(["ticks.0", "ticks.1"])],
  ]);
  const division = divide(offers, new Map([["candles", "b"]]));
  assert.equal(division.get("candles"), "a");
  assert.equal(division.get("ingest.binance"), "b");
  assert.equal(division.get("ticks.1"), "c");
  const klines = new Map([...division].filter(([piece]) => piece.startsWith("kline.")));
  assert.deepEqual(loads(["a", "b", "c"], klines), [2, 2, 0]);
});

test("weightOf() prefers each worker equally often, and a worker's coming changes nothing between the others", () => {
  const workers = ["a1", "a2", "b1", "b2", "c1"];
  const first = (among: readonly string[], piece: string) =>
    among.toSorted((x, y) => weightOf(y, piece) - weightOf(x, piece))[0]!;
  const pieces = piecesOf(20_000);
  const won = new Map<string, number>();
  for (const piece of pieces) {
    const winner = first(workers, piece);
    won.set(winner, (won.get(winner) ?? 0) + 1);
    const without = first(workers.slice(1), piece);
    if (winner !== workers[0]) assert.equal(without, winner);
  }
  // 4000 each; the standard deviation is 57.
  for (const count of won.values()) assert.ok(Math.abs(count - 4_000) < 300, `${count} of 4000`);
});
