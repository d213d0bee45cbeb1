/** Tokens of `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<consumer's>.<ns>.…`; two more where a domain and account precede. */
const SEQUENCE_TOKEN = 5;
const TIME_TOKEN = 7;
const DOMAIN_TOKENS = 2;
const TOKENS_WITH_DOMAIN = 11;
const DIGITS_BELOW_MS = 6;

/** A message's number in its stream, from the subject on which it would be acknowledged. */
export function sequenceOf(reply = ""): number {
  return Number(tokenOf(reply, SEQUENCE_TOKEN));
}

/** When the server stored a message, ms by its clock, from the same subject. */
export function storedMsOf(reply = ""): number {
  return Number(tokenOf(reply, TIME_TOKEN)?.slice(0, -DIGITS_BELOW_MS));
}

function tokenOf(reply: string, index: number): string | undefined {
  const tokens = reply.split(".");
  return tokens[tokens.length < TOKENS_WITH_DOMAIN ? index : index + DOMAIN_TOKENS];
}
