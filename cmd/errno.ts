/** The system's numbers for errors, for service managers that show them (`ERRNO=` of `sd_notify`). */
import type { ErrorCode } from "../src/base/mod.ts";

/** Numbers as Linux has them; other systems have no manager that asks. */
const ERRNO: Partial<Record<ErrorCode, number>> = {
  not_found: 2,
  not_allowed: 13,
  usage: 22,
  config_invalid: 22,
  ticket_invalid: 22,
  ticket_expired: 22,
  no_space: 28,
  data_dir_unusable: 13,
  data_dir_locked: 16,
  address_in_use: 98,
  already_running: 98,
  network: 100,
  timeout: 110,
};

/** The number that comes closest to an error's code; `undefined` when none does. */
export function errnoOf(code: ErrorCode): number | undefined {
  return ERRNO[code];
}
