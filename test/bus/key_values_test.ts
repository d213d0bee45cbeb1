import assert from "node:assert/strict";
import { type KeyValue, type KeyValueListener, KeyValues } from "../../src/bus/key_values.ts";
import { type BusTest, busTest, eventually } from "./harness.ts";

/** What a follower was told since it last started. */
class Told implements KeyValueListener {
  readonly values = new Map<string, string>();
  readonly revisions = new Map<string, number>();
  starts = 0;

  onStart(): void {
    this.starts++;
    this.values.clear();
    this.revisions.clear();
  }

  onValue({ key, value, revision }: KeyValue): void {
    this.values.set(key, Buffer.from(value).toString());
    this.revisions.set(key, revision);
  }
}

async function follow({ bus, signal }: BusTest) {
  const bucket = new KeyValues(bus, "TEST");
  const told = new Told();
  void bucket.follow(told, signal);
  await eventually("the bucket is there", () => told.starts > 0);
  return { bucket, told };
}

const bytes = (text: string) => Buffer.from(text);

busTest("swap() writes only over the revision that it names", async (t) => {
  const { bucket } = await follow(t);
  const first = await bucket.swap("a.b", bytes("1"), 0);
  assert.ok(typeof first !== "string");
  assert.equal(await bucket.swap("a.b", bytes("2"), 0), "conflict");
  assert.equal(await bucket.swap("other", bytes("2"), first.revision), "conflict");
  const second = await bucket.swap("a.b", bytes("2"), first.revision);
  assert.ok(typeof second !== "string" && second.revision > first.revision);
  assert.equal(await bucket.swap("a.b", bytes("3"), first.revision), "conflict");
});

busTest("swap() says that it knows nothing where the bucket or the broker is missing", async (t) => {
  const missing = new KeyValues(t.bus, "MISSING");
  assert.equal(await missing.swap("a", bytes("1"), 0), "unknown");
  t.server.kill("SIGKILL");
  await eventually("the connection is lost", () => !t.bus.connected);
  assert.equal(await missing.swap("a", bytes("1"), 0), "unknown");
});

busTest("follow() tells what is there, then every change with its revision", async (t) => {
  const { bucket, told } = await follow(t);
  await bucket.swap("a", bytes("1"), 0);
  await eventually("the value is told", () => told.values.get("a") === "1");
  const swap = await bucket.swap("a", bytes("2"), told.revisions.get("a")!);
  await eventually("the change is told", () => told.values.get("a") === "2");
  assert.deepEqual(swap, { revision: told.revisions.get("a") });
  const late = await follow(t);
  await eventually("a late follower is told", () => late.told.values.get("a") === "2");
  assert.deepEqual(late.told.revisions, told.revisions);
});

busTest("follow() begins anew after a restart of the broker, and when it is told to", async (t) => {
  const { bucket, told } = await follow(t);
  await bucket.swap("a", bytes("kept"), 0);
  t.server.kill("SIGKILL");
  await t.server.restart();
  await eventually("it begins anew", () => told.starts > 1 && told.values.get("a") === "kept");
  const { starts } = told;
  await t.bus.streams.streams.purge("KV_TEST");
  bucket.reread();
  await eventually("nothing is there", () => told.starts > starts && told.values.size === 0);
});

busTest("KeyValues is a bucket to the nats CLI and the client's own key-value store", async (t) => {
  const { bucket, told } = await follow(t);
  await bucket.swap("a", bytes("1"), 0);
  const store = await t.bus.connection.jetstream().views.kv("TEST", { bindOnly: true });
  assert.equal((await store.get("a"))!.string(), "1");
  await store.delete("a");
  await eventually("the deletion is told as an empty value", () => told.values.get("a") === "");
  assert.ok(typeof (await bucket.swap("a", bytes("2"), told.revisions.get("a")!)) !== "string");
});
