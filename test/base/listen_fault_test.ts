import assert from "node:assert/strict";
import { listenFault } from "../../src/base/mod.ts";

/** The fault of an error at an address, as it is printed. */
function fault(error: unknown, host: string, port: number) {
  const { code, message, next } = listenFault(error, {
    what: "Cannot serve HTTP",
    host,
    port,
    flag: "--http",
  });
  return { code, message, next };
}

Deno.test("listenFault() says what helps: another port, an address of here, a port for all", () => {
  assert.deepEqual(fault(new Deno.errors.AddrInUse("EADDRINUSE"), "::1", 8090), {
    code: "address_in_use",
    message: "Cannot serve HTTP on [::1]:8090: the port is in use",
    next: "choose another port with --http, or 0 for any free one",
  });
  assert.deepEqual(fault(new Deno.errors.AddrNotAvailable("x"), "192.0.2.9", 8090), {
    code: "network",
    message: "Cannot serve HTTP on 192.0.2.9:8090: this machine has no such address",
    next: "give an address of this machine with --http, or 0.0.0.0 for all of them",
  });
  const denied = new Deno.errors.PermissionDenied("Permission denied (os error 13)");
  assert.match(fault(denied, "127.0.0.1", 80).message, /: ports below 1024 are for root$/);
  assert.match(fault(denied, "127.0.0.1", 80).next ?? "", /higher port with --http/);
  assert.match(fault(denied, "127.0.0.1", 8090).message, /: Permission denied/);
});

Deno.test("listenFault() knows the errors that the runtime gives", () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const { port } = listener.addr;
    for (
      const [host, message] of [
        ["127.0.0.1", /the port is in use/],
        // An address for documents.
        ["203.0.113.99", /has no such address/],
      ] as const
    ) {
      assert.throws(
        () => Deno.listen({ hostname: host, port }),
        (error) => message.test(fault(error, host, port).message),
      );
    }
  } finally {
    listener.close();
  }
});
