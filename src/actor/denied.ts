/**
 * Whether the runtime refuses something for lack of a permission, which no second attempt changes. NotCapable is
 * Deno's word for it; for the address of a host that is known by name it says EPERM.
 */
export function isDenied(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return error.name === "NotCapable" || (code === "EPERM" && syscall === "getaddrinfo");
}
