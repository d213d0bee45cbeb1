/** Told what became of a message with ticks, once. */
export interface MessageListener {
  /** The stream has it. */
  onStored(): void;
  /** It was not taken, or the stream refused it. */
  onDropped(cause: string): void;
  /** It was sent, and nobody knows whether the stream has it. */
  onUnconfirmed(cause: string): void;
}

/** Where tick messages go: something that takes them at once, or says no. */
export interface TickPublisher {
  /**
   * Hands over a message; false if it was not taken, for lack of room or of a connection. Its listener has heard so then;
   * otherwise it hears later.
   */
  tryPublish(subject: string, data: Uint8Array, listener?: MessageListener): boolean;
  /** Whether senders should pause; messages may still be taken for a while. */
  readonly congested: boolean;
  /** Settles when it is no longer congested, or the signal is aborted; does not reject for either. */
  waitForRoom(signal: AbortSignal): Promise<void>;
}
