export function x(): u32 { return 1; }
