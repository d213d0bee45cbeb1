/** A command cannot do what it was asked for, and its message alone tells the user why. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}
