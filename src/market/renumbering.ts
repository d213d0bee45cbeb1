/**
 * A venue numbers its trades in the order of their times. A number that has been, at a time later by more than this
 * than that of the greatest number, shows that the venue has begun to number anew, ms.
 */
export const RENUMBERED_MS = 10_000;
