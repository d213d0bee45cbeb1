import { WebSocket } from "ws";
import { isDenied } from "../actor/denied.ts";

/** Longest close handshake before the socket is destroyed, ms. */
const CLOSE_TIMEOUT_MS = 3000;
/** A timer that is later than this, in ping intervals, was frozen with its process: nothing could be heard. */
const FROZEN = 1.5;
/** Longest frame that is received at all; a longer one ends the connection. */
const MAX_PAYLOAD_BYTES = 32 * 1024 * 1024;

/** Why a connection ended. */
export type CloseCause =
  | "stopped"
  | "replaced"
  | "refused"
  | "lost"
  | "closed"
  | "no_pong"
  | "silence"
  | "stale";

export interface FeedSocketOptions {
  readonly url: string;
  /** Between two pings, and the longest wait for any sign of life after one, ms. */
  readonly pingMs: number;
  /** Longest connection attempt, ms. */
  readonly connectTimeoutMs: number;
}

export interface FeedSocketEvents {
  opened(): void;
  frame(frame: Buffer, isBinary: boolean): void;
}

/** How a connection ended: by whom, and in words. */
export interface SocketEnd {
  readonly cause: CloseCause;
  readonly detail: string;
  /** Why there will never be a connection; absent: there may. */
  readonly denied?: Error;
}

/** One WebSocket from connect to close, with pings that find a half-open connection. */
export class FeedSocket {
  /** Settles, never rejects, when the socket is gone. */
  readonly ended: Promise<SocketEnd>;
  readonly #socket: WebSocket;
  readonly #pings: NodeJS.Timeout;
  readonly #pingMs: number;
  #pingedMs = performance.now();
  #cause: CloseCause | undefined;
  #detail = "";
  #denied: Error | undefined;
  #opened = false;
  #terminated = false;
  #paused = false;
  #heard = true;

  constructor({ url, pingMs, connectTimeoutMs }: FeedSocketOptions, events: FeedSocketEvents) {
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      // Only text that passes the frame reader is used, and a frame of broken UTF-8 does not.
      skipUTF8Validation: true,
      maxPayload: MAX_PAYLOAD_BYTES,
      handshakeTimeout: connectTimeoutMs,
    });
    this.#socket = socket;
    socket.on("open", () => {
      this.#opened = true;
      if (this.#paused) socket.pause();
      events.opened();
    });
    socket.on("message", (frame, isBinary) => {
      // Of what was received before, the rest would still come.
      if (this.#terminated) return;
      this.#heard = true;
      events.frame(frame as Buffer, isBinary);
    });
    socket.on("pong", () => {
      this.#heard = true;
    });
    socket.on("error", (error) => {
      this.#detail = error.message;
      if (isDenied(error)) this.#denied = error;
      this.#cause ??= this.#opened ? "lost" : "refused";
    });
    this.#pingMs = pingMs;
    this.#pings = setInterval(() => this.#ping(), pingMs);
    this.ended = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        clearInterval(this.#pings);
        // 1006: the connection broke without a close frame (RFC 6455, 7.1.5).
        const cause = this.#cause ?? (code === 1006 ? "lost" : "closed");
        const detail = this.#detail || `code ${code} ${reason.toString().slice(0, 60)}`.trim();
        resolve({ cause, detail, ...(this.#denied === undefined ? {} : { denied: this.#denied }) });
      });
    });
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(text: string): void {
    this.#socket.send(text, ignoreSendError);
  }

  /** Ends the connection at once; no frame comes out any more. */
  terminate(cause: CloseCause): void {
    this.#cause ??= cause;
    this.#terminated = true;
    this.#socket.terminate();
  }

  /** Ends the connection by handshake; frames that the venue sent before its answer still come out. */
  close(cause: CloseCause): void {
    this.#cause ??= cause;
    // A socket that is not read would not see the answer.
    this.resume();
    this.#socket.close(1000);
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT_MS);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  /** Stops reading, so that TCP slows the venue down. */
  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    // Nothing could be heard meanwhile.
    this.#heard = true;
    this.#socket.resume();
  }

  #ping(): void {
    const nowMs = performance.now();
    const wasFrozen = nowMs - this.#pingedMs > FROZEN * this.#pingMs;
    this.#pingedMs = nowMs;
    if (!this.isOpen || this.#paused) return;
    if (!this.#heard && !wasFrozen) {
      this.terminate("no_pong");
      return;
    }
    this.#heard = false;
    this.#socket.ping(undefined, undefined, ignoreSendError);
  }
}

/** A send fails only on a connection that is about to report its end. */
function ignoreSendError(): void {}
