import type { Bus } from "../bus/connection.ts";
import { registerService } from "../bus/service.ts";
import type { RoleAccounts } from "./role_accounts.ts";

/** Metadata by which the services that keep accounts are known; its value is the role. */
export const ACCOUNT_KEY = "account";

/**
 * Lets anybody ask what a role of this process did, for as long as the role is open: actors come and go with their
 * leases, their counts stay.
 *
 * @returns what takes it off the list
 */
export function registerAccounts(bus: Bus, accounts: () => RoleAccounts): Promise<() => Promise<void>> {
  const { role, pid } = accounts();
  return registerService(bus, {
    name: `tickline-${role}`,
    description: `Keeps the accounts of a process`,
    metadata: { [ACCOUNT_KEY]: role, pid: String(pid) },
    status: accounts,
  });
}
