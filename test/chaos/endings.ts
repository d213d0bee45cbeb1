/** What ends with the run, last begun first. */
export class Endings {
  readonly #tasks: (() => unknown)[] = [];
  #ended = false;

  /** Has something done at the end; at once if that was. */
  readonly after = (task?: unknown): void => {
    if (typeof task !== "function") return;
    if (this.#ended) void task();
    else this.#tasks.push(task as () => unknown);
  };

  /** Ends everything; may be called again. */
  async run(): Promise<void> {
    this.#ended = true;
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) await task();
  }
}
