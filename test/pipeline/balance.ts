import assert from "node:assert/strict";
import { Bus } from "../../src/bus/connection.ts";
import { createLog } from "../../src/observe/log.ts";
import { gatherSheet } from "../../src/run/gather_sheet.ts";
import type { Sheet } from "../../src/run/sheet.ts";
import { until } from "./harness.ts";

const DEADLINE_MS = 60_000;
/** Lines of what is on its way. */
const UNDER_WAY: readonly string[] = ["held", "collected", "under_way", "to_read", "pending"];

/**
 * Asks a running system for its accounts, as `make inspect` does, until nothing is on its way any more. All the time
 * everything that came in must be somewhere.
 */
export async function untilBalanced(natsUrl: string): Promise<Sheet> {
  const { signal } = new AbortController();
  const bus = await Bus.open({ servers: [natsUrl], name: "test", log: createLog("silent"), signal });
  try {
    let sheet: Sheet | undefined;
    const isQuiet = async () => {
      const system = await gatherSheet(bus);
      sheet = system.sheet;
      assert.deepEqual(sheet.imbalances, [], JSON.stringify(system.roles));
      return system.silent.length === 0 && system.roles.length > 0 && isSettled(sheet);
    };
    await until("nothing is on its way", isQuiet, DEADLINE_MS).catch((error: unknown) => {
      throw new Error(JSON.stringify(sheet), { cause: error });
    });
    return sheet!;
  } finally {
    await bus.close();
  }
}

function isSettled({ stages }: Sheet): boolean {
  return stages.every(({ became }) => UNDER_WAY.every((line) => (became[line] ?? 0) === 0));
}
