/** Type bytes of msgpack. */
const FIX_ARRAY = 0x90;
const FIX_STRING = 0xa0;
const FIX_STRING_END = 0xbf;
const NIL = 0xc0;
const FALSE = 0xc2;
const TRUE = 0xc3;
const BIN_8 = 0xc4;
const BIN_16 = 0xc5;
const BIN_32 = 0xc6;
const FLOAT_32 = 0xca;
const FLOAT_64 = 0xcb;
const UINT_8 = 0xcc;
const UINT_16 = 0xcd;
const UINT_32 = 0xce;
const UINT_64 = 0xcf;
const INT_8 = 0xd0;
const INT_16 = 0xd1;
const INT_32 = 0xd2;
const INT_64 = 0xd3;
const STRING_8 = 0xd9;
const STRING_16 = 0xda;
const STRING_32 = 0xdb;
const ARRAY_16 = 0xdc;
const ARRAY_32 = 0xdd;
const NEGATIVE = 0xe0;
const POSITIVE_END = 0x7f;
/** What the upper half of a 64-bit number counts. */
const TWO_TO_32 = 2 ** 32;

/**
 * Walks over msgpack, and makes nothing of it but what is asked for: no value is allocated for a number, a string or an
 * array. Every method throws a `RangeError` where the bytes end early or something else stands there.
 */
export class MsgpackCursor {
  readonly #data: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  /** Index of the byte at which the next value begins. */
  get at(): number {
    return this.#at;
  }

  /** Elements of the array that begins here; goes to the first. */
  arrayLength(): number {
    const type = this.#uint(1);
    if (type >= FIX_ARRAY && type < FIX_STRING) return type - FIX_ARRAY;
    if (type === ARRAY_16) return this.#uint(2);
    if (type === ARRAY_32) return this.#uint(4);
    throw unexpected("an array", type);
  }

  /** The number that stands here. */
  number(): number {
    const type = this.#uint(1);
    if (type <= POSITIVE_END) return type;
    if (type >= NEGATIVE) return type - 0x100;
    const at = this.#at;
    switch (type) {
      case UINT_8:
        return this.#uint(1);
      case UINT_16:
        return this.#uint(2);
      case UINT_32:
        return this.#uint(4);
      case UINT_64:
        return this.#uint(4) * TWO_TO_32 + this.#uint(4);
      case INT_8:
        return this.#pass(1, this.#view.getInt8(at));
      case INT_16:
        return this.#pass(2, this.#view.getInt16(at));
      case INT_32:
        return this.#pass(4, this.#view.getInt32(at));
      case INT_64:
        return this.#pass(4, this.#view.getInt32(at)) * TWO_TO_32 + this.#uint(4);
      case FLOAT_32:
        return this.#pass(4, this.#view.getFloat32(at));
      case FLOAT_64:
        return this.#pass(8, this.#view.getFloat64(at));
      default:
        throw unexpected("a number", type);
    }
  }

  /** Passes the string that stands here; how many bytes it has, which end where the cursor is then. */
  passString(): number {
    const type = this.#uint(1);
    let length: number;
    if (type >= FIX_STRING && type <= FIX_STRING_END) length = type - FIX_STRING;
    else if (type === STRING_8) length = this.#uint(1);
    else if (type === STRING_16) length = this.#uint(2);
    else if (type === STRING_32) length = this.#uint(4);
    else throw unexpected("a string", type);
    return this.#pass(length, length);
  }

  /** The bytes of the binary that stands here, which are those of the message. */
  binary(): Uint8Array {
    const length = this.peekBinaryLength();
    const type = this.#uint(1);
    if (length === undefined) throw unexpected("a binary", type);
    this.#advance(type === BIN_8 ? 1 : type === BIN_16 ? 2 : 4);
    this.#advance(length);
    return this.#data.subarray(this.#at - length, this.#at);
  }

  /** Bytes of the binary that stands here, if one does; stays where it is. */
  peekBinaryLength(): number | undefined {
    const at = this.#at;
    const type = this.#view.getUint8(at);
    if (type === BIN_8) return this.#view.getUint8(at + 1);
    if (type === BIN_16) return this.#view.getUint16(at + 1);
    if (type === BIN_32) return this.#view.getUint32(at + 1);
    return undefined;
  }

  /** Passes a value, with all that is in it. */
  skip(): void {
    for (let values = 1; values > 0; values--) {
      const type = this.#view.getUint8(this.#at);
      if ((type >= FIX_ARRAY && type < FIX_STRING) || type === ARRAY_16 || type === ARRAY_32) {
        values += this.arrayLength();
      } else if (type >= FIX_STRING && type <= FIX_STRING_END) {
        this.#advance(1 + type - FIX_STRING);
      } else if (type === NIL || type === FALSE || type === TRUE) {
        this.#advance(1);
      } else if (type === BIN_8 || type === STRING_8) {
        this.#advance(2 + this.#view.getUint8(this.#at + 1));
      } else if (type === BIN_16 || type === STRING_16) {
        this.#advance(3 + this.#view.getUint16(this.#at + 1));
      } else if (type === BIN_32 || type === STRING_32) {
        this.#advance(5 + this.#view.getUint32(this.#at + 1));
      } else {
        this.number();
      }
    }
  }

  #uint(bytes: 1 | 2 | 4): number {
    const at = this.#at;
    this.#advance(bytes);
    if (bytes === 1) return this.#view.getUint8(at);
    return bytes === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #pass(bytes: number, value: number): number {
    this.#advance(bytes);
    return value;
  }

  #advance(bytes: number): void {
    this.#at += bytes;
    if (this.#at > this.#view.byteLength) throw new RangeError("Cannot read msgpack: it ends early");
  }
}

function unexpected(what: string, type: number): RangeError {
  return new RangeError(`Cannot read msgpack: type 0x${type.toString(16)} is not ${what}`);
}
