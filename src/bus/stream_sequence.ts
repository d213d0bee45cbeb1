/** Tokens of `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.…`; two more where a domain and account precede. */
const SEQUENCE_TOKEN = 5;
const SEQUENCE_TOKEN_AFTER_DOMAIN = 7;
const TOKENS_WITH_DOMAIN = 11;

/** A message's number in its stream, from the subject on which it would be acknowledged. */
export function sequenceOf(reply = ""): number {
  const tokens = reply.split(".");
  return Number(tokens[tokens.length < TOKENS_WITH_DOMAIN ? SEQUENCE_TOKEN : SEQUENCE_TOKEN_AFTER_DOMAIN]);
}
