import type { Config } from "../config.ts";
import { type SimulatedVenue, startSimulatedVenue } from "../simulator/simulated_venue.ts";

/** Starts the simulated market if `MARKETS` asks for it and no other one is configured. */
export async function startOwnMarket(config: Config): Promise<SimulatedVenue | undefined> {
  const markets = config.markets.filter(({ venue }) => venue === "sim");
  if (markets.length === 0 || config.simWsUrl !== undefined) return undefined;
  return startSimulatedVenue({ markets, seed: config.simSeed, ticksPerSecond: config.simTicksPerSecond });
}
