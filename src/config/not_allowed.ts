import { z } from "zod";

const MAX_SHOWN_CHARS = 80;

/** A value that a configuration variable does not take; the message says what it takes. */
export class NotAllowedError extends Error {
  override readonly name = "NotAllowedError";

  /**
   * @param text the value, quoted in the message
   * @param problem what is wrong with it, `is not an interval`
   * @param allowed what the variable takes
   */
  constructor(text: string, problem: string, allowed: string) {
    super(`${quote(text)} ${problem}; allowed: ${allowed}`);
  }
}

/** A zod schema of a parser that throws {@link NotAllowedError}. */
export function field<T>(parse: (text: string) => T): z.ZodType<T, string> {
  return z.string().transform((text, context) => {
    try {
      return parse(text.trim());
    } catch (error) {
      if (!(error instanceof NotAllowedError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  });
}

/** As {@link field}, for a comma list: every bad element is a problem of its own; repeated ones count once. */
export function listField<T>(parse: (text: string) => T): z.ZodType<readonly T[], string> {
  return z.string().transform((text, context) => {
    const elements = new Map<string, T>();
    for (const element of text.split(",").map((part) => part.trim())) {
      try {
        elements.set(element, parse(element));
      } catch (error) {
        if (!(error instanceof NotAllowedError)) throw error;
        context.addIssue({ code: "custom", message: error.message });
      }
    }
    return [...elements.values()];
  });
}

/** A value as an error shows it: in quotes, short, and without what stands before an `@`, which may be a password. */
function quote(text: string): string {
  const safe = text.replace(/^.*@/s, "[secret]@");
  return JSON.stringify(safe.length > MAX_SHOWN_CHARS ? `${safe.slice(0, MAX_SHOWN_CHARS)}…` : safe);
}
