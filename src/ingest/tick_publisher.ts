/** Where tick messages go: something that takes them at once, or says no. */
export interface TickPublisher {
  /** Hands over a message; false if it was not taken, for lack of room or of a connection. */
  tryPublish(subject: string, data: Uint8Array): boolean;
  /** Whether senders should pause; messages may still be taken for a while. */
  readonly congested: boolean;
  /** Settles when it is no longer congested, or the signal is aborted; does not reject for either. */
  waitForRoom(signal: AbortSignal): Promise<void>;
}
