import assert from "node:assert/strict";
import { test } from "node:test";
import { createBinanceExchange } from "../../src/exchange/binance.ts";
import { Subscription } from "../../src/feed/subscription.ts";
import { parseMarket } from "../../src/market/market.ts";

function create(markets: number): Subscription {
  const names = Array.from({ length: markets }, (_, index) => parseMarket(`binance:A${index}-USDT`));
  return new Subscription(createBinanceExchange(), names, () => 1);
}

test("Subscription is served once every request was acknowledged", () => {
  const subscription = create(201);
  assert.match(subscription.nextRequest(0)!, /"id":1}$/);
  assert.match(subscription.nextRequest(0)!, /"id":2}$/);
  assert.equal(subscription.nextRequest(0), undefined);
  assert.equal(subscription.acknowledge(2), true);
  assert.equal(subscription.isServed(1), true);
  assert.equal(subscription.served, false);
  assert.equal(subscription.acknowledge(2), false);
  assert.equal(subscription.acknowledge(1), true);
  assert.equal(subscription.served, true);
});

test("Subscription repeats a request that stays unanswered, and takes no late answer to the first one", () => {
  const subscription = create(1);
  subscription.nextRequest(0);
  assert.equal(subscription.nextRequest(9999), undefined);
  assert.match(subscription.nextRequest(10_000)!, /"id":2}$/);
  assert.equal(subscription.acknowledge(1), false);
  assert.equal(subscription.acknowledge(2), true);
  assert.equal(subscription.nextRequest(1e9), undefined);
});

test("Subscription repeats a refused request ever later", () => {
  const subscription = create(1);
  let nowMs = 0;
  for (const [index, waitMs] of [1000, 2000, 4000].entries()) {
    assert.notEqual(subscription.nextRequest(nowMs), undefined);
    subscription.refuse(index + 1, nowMs);
    assert.equal(subscription.nextRequest(nowMs + waitMs - 1), undefined);
    nowMs += waitMs;
  }
});

test("Subscription ignores answers to requests that it did not send", () => {
  const subscription = create(1);
  subscription.nextRequest(0);
  assert.equal(subscription.acknowledge(-1), false);
  assert.equal(subscription.acknowledge(99), false);
  subscription.refuse(99, 0);
  assert.equal(subscription.served, false);
});
