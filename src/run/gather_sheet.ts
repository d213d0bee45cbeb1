import type { Bus } from "../bus/connection.ts";
import { askServices, findServices } from "../bus/overview.ts";
import { ACCOUNT_KEY } from "./account_service.ts";
import { type RoleAccounts, roleAccountsSchema } from "./role_accounts.ts";
import { createSheet, type Sheet } from "./sheet.ts";

/** Against the direction of the data: what was read somewhere has been counted where it came from by then. */
const ASKING_ORDER = ["persist", "kline", "ingest"];

/** What the processes of a running system say of themselves. */
export interface SystemAccounts {
  readonly roles: readonly RoleAccounts[];
  /** Who is there and did not answer in time, or not so that it could be understood. */
  readonly silent: readonly string[];
  readonly sheet: Sheet;
}

/** Asks all processes for their accounts; takes a few seconds at most, whoever does not answer. */
export async function gatherSheet(bus: Bus): Promise<SystemAccounts> {
  const services = await findServices(bus);
  const roles: RoleAccounts[] = [];
  const silent: string[] = [];
  for (const role of ASKING_ORDER) {
    const asked = services.filter(({ metadata }) => metadata[ACCOUNT_KEY] === role);
    for (const { metadata, status } of await askServices(bus, asked)) {
      const answer = roleAccountsSchema.safeParse(status);
      if (answer.success) roles.push(answer.data);
      else silent.push(`${role} of process ${metadata.pid}`);
    }
  }
  return { roles, silent, sheet: createSheet(roles) };
}
