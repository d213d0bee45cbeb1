import { shardOf } from "../market/shard.ts";

const HASHES = 2 ** 32;

/** What each worker can do, by its id. */
export type Offers = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * How much a worker is inclined to a piece, as rendezvous hashing has it: all who compute it agree, and a worker that
 * comes or goes changes nothing between the others.
 */
export function weightOf(worker: string, piece: string): number {
  return shardOf(`${worker} ${piece}`, HASHES);
}

/**
 * Who shall do what. Pieces of one kind (`kline` of `kline.3`) that the same workers offer are spread evenly: no
 * worker has two more than another. As few as possible change their owner: a worker gives away only what it has
 * beyond its share. The hash decides what is given away and who gets it. (The hash alone would leave two workers with
 * 6 and 2 of 8 shards, or worse, in 29 of 100 cases.)
 *
 * @param owners who has what now; pieces of those who offer nothing have no owner
 */
export function divide(offers: Offers, owners: ReadonlyMap<string, string>): Map<string, string> {
  const division = new Map<string, string>();
  for (const { kind, pieces, workers } of groupsOf(offers)) {
    const shares = sharesOf(kind, pieces, workers, owners);
    const homeless = new Set(pieces);
    for (const [worker, share] of shares) {
      const kept = pieces
        .filter((piece) => owners.get(piece) === worker)
        .sort((a, b) => weightOf(worker, b) - weightOf(worker, a))
        .slice(0, share);
      for (const piece of kept) {
        division.set(piece, worker);
        homeless.delete(piece);
      }
      shares.set(worker, share - kept.length);
    }
    for (const piece of homeless) {
      const withRoom = workers.filter((worker) => shares.get(worker)! > 0);
      const owner = mostInclined(withRoom, piece)[0]!;
      division.set(piece, owner);
      shares.set(owner, shares.get(owner)! - 1);
    }
  }
  return division;
}

interface Group {
  readonly kind: string;
  readonly pieces: string[];
  readonly workers: readonly string[];
}

/** Pieces that are alike: of one kind, and offered by the same workers. */
function groupsOf(offers: Offers): Iterable<Group> {
  const workersOf = new Map<string, string[]>();
  for (const worker of [...offers.keys()].sort()) {
    for (const piece of offers.get(worker)!) {
      const workers = workersOf.get(piece);
      if (workers === undefined) workersOf.set(piece, [worker]);
      else workers.push(worker);
    }
  }
  const groups = new Map<string, Group>();
  for (const piece of [...workersOf.keys()].sort()) {
    const kind = kindOf(piece);
    const workers = workersOf.get(piece)!;
    const name = [kind, ...workers].join(" ");
    const group = groups.get(name);
    if (group === undefined) groups.set(name, { kind, pieces: [piece], workers });
    else group.pieces.push(piece);
  }
  return groups.values();
}

/** How many pieces each worker shall have. Where they do not divide evenly, those who have more already keep it. */
function sharesOf(
  kind: string,
  pieces: readonly string[],
  workers: readonly string[],
  owners: ReadonlyMap<string, string>,
): Map<string, number> {
  const share = Math.floor(pieces.length / workers.length);
  const hasMore = (worker: string) =>
    pieces.reduce((count, piece) => count + (owners.get(piece) === worker ? 1 : 0), 0) > share;
  const ranked = mostInclined(workers, kind);
  const inOrder = [...ranked.filter(hasMore), ...ranked.filter((worker) => !hasMore(worker))];
  const remainder = pieces.length % workers.length;
  return new Map(inOrder.map((worker, rank) => [worker, rank < remainder ? share + 1 : share]));
}

/** Highest weight first; workers come sorted by id, so equal weights are no matter of chance. */
function mostInclined(workers: readonly string[], piece: string): string[] {
  return workers.toSorted((a, b) => weightOf(b, piece) - weightOf(a, piece));
}

function kindOf(piece: string): string {
  const dot = piece.indexOf(".");
  return dot < 0 ? piece : piece.slice(0, dot);
}
