import assert from "node:assert/strict";
import { createUpnpClient } from "../../../../src/core/transport/mod.ts";
import {
  clientDeps,
  grantAll,
  HOST,
  HttpGateway,
  type HttpGatewayOptions,
  REQUEST,
  UdpGateway,
} from "./gateway_kit.ts";
import { describeGateway, searchAnswer, type SoapCall } from "./upnp_words.ts";

const isExternal = (host: string) => host.startsWith("198.51.100.");

/** A whole UPnP gateway and a client that finds it. */
async function withGateway(
  options: HttpGatewayOptions,
  use: (kit: {
    readonly client: ReturnType<typeof createUpnpClient>;
    readonly http: HttpGateway;
    readonly ssdp: UdpGateway;
    readonly deps: ReturnType<typeof clientDeps>;
  }) => Promise<void>,
): Promise<void> {
  await using http = new HttpGateway(options);
  await using ssdp = new UdpGateway(() => [searchAnswer(http.location)]);
  const deps = clientDeps();
  const searchAddress = { host: HOST, port: ssdp.port };
  await use({ client: createUpnpClient(deps, { searchAddress, isExternal }), http, ssdp, deps });
}

function namesOf(calls: readonly SoapCall[]): string[] {
  return calls.map(({ action }) => action);
}

Deno.test("createUpnpClient() searches, reads, maps, renews without a search, takes back", async () => {
  await withGateway({}, async ({ client, http, ssdp, deps }) => {
    const mapping = await client.map(REQUEST);
    assert.deepEqual(mapping, {
      protocol: "upnp",
      external: { host: "198.51.100.7", port: 4000 },
      internalHost: HOST,
      internalPort: 4000,
      gateway: HOST,
      leaseSeconds: 3600,
    });
    assert.match(new TextDecoder().decode(ssdp.heard[0]), /^M-SEARCH \* HTTP\/1\.1\r\n/);
    assert.deepEqual(Object.fromEntries(http.calls[1]?.values ?? []), {
      NewRemoteHost: "",
      NewExternalPort: "4000",
      NewProtocol: "UDP",
      NewInternalPort: "4000",
      NewInternalClient: HOST,
      NewEnabled: "1",
      NewPortMappingDescription: "cyberdeck-mesh",
      NewLeaseDuration: "3600",
    });
    const searches = deps.counters.datagrams_sent_total;
    await client.map(REQUEST);
    assert.equal(deps.counters.datagrams_sent_total, searches);
    await client.unmap(mapping);
    assert.deepEqual(namesOf(http.calls), [
      "GetExternalIPAddress",
      "AddPortMapping",
      "GetExternalIPAddress",
      "AddPortMapping",
      "DeletePortMapping",
    ]);
    assert.equal(http.calls[4]?.values.get("NewExternalPort"), "4000");
  });
});

for (
  const type of [
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
  ]
) {
  Deno.test(`createUpnpClient() knows ${type}`, async () => {
    const description = (port: number) =>
      describeGateway("ctl", type, `<URLBase>http://${HOST}:${port}/x/</URLBase>`);
    await withGateway({ description }, async ({ client, http }) => {
      assert.equal((await client.map(REQUEST)).external.port, 4000);
      assert.equal(http.calls.length, 2);
    });
  });
}

Deno.test("createUpnpClient() takes a permanent mapping where there is no other", async () => {
  const reply = (call: SoapCall) => {
    const isLease = call.values.get("NewLeaseDuration") === "3600";
    return call.action === "AddPortMapping" && isLease ? 725 : grantAll(call);
  };
  await withGateway({ reply }, async ({ client, http }) => {
    assert.equal((await client.map(REQUEST)).leaseSeconds, 0);
    assert.equal(http.calls[2]?.values.get("NewLeaseDuration"), "0");
  });
});

Deno.test("createUpnpClient() takes another port where the wanted one is taken", async () => {
  const reply = (call: SoapCall) =>
    call.action === "AddPortMapping" && call.values.get("NewExternalPort") === "4000"
      ? 718
      : grantAll(call);
  await withGateway({ reply }, async ({ client }) => {
    const { external } = await client.map(REQUEST);
    assert.ok(external.port >= 49_152);
  });
});

Deno.test("createUpnpClient() gives up when every port is taken", async () => {
  const reply = (call: SoapCall) => call.action === "AddPortMapping" ? 718 : grantAll(call);
  await withGateway({ reply }, async ({ client, http }) => {
    await assert.rejects(client.map(REQUEST), { reason: "conflict" });
    assert.equal(namesOf(http.calls).filter((name) => name === "AddPortMapping").length, 4);
  });
});

Deno.test("createUpnpClient() keeps to equal ports where the gateway wants that", async () => {
  const reply = (call: SoapCall) => {
    if (call.action !== "AddPortMapping") return grantAll(call);
    return call.values.get("NewExternalPort") === "4000" ? 718 : 724;
  };
  await withGateway({ reply }, async ({ client, http }) => {
    await assert.rejects(client.map({ ...REQUEST, externalPort: 5000 }), { reason: "conflict" });
    assert.equal(http.calls.length, 3);
  });
});

const plain = (text: string, status = 200) => () => new Response(text, { status });

for (
  const [what, options, reason, message] of [
    [
      "a refusal",
      {
        reply: (call: SoapCall) => call.action === "AddPortMapping" ? 606 : grantAll(call),
      },
      "refused",
      /606 no <luck>/,
    ],
    [
      "another NAT behind",
      {
        reply: () => ({ NewExternalIPAddress: "192.168.9.9" }),
      },
      "double-nat",
      /192\.168\.9\.9/,
    ],
    ["no address outside", { reply: () => ({ NewExternalIPAddress: "" }) }, "double-nat", /no add/],
    [
      "a name outside",
      {
        reply: () => ({ NewExternalIPAddress: "evil.example" }),
      },
      "malformed",
      /can't be read/,
    ],
    ["an answer to something else", { soap: plain("<a/>") }, "malformed", /can't be read/],
    ["no XML", { soap: plain("hello") }, "malformed", /can't be read/],
    ["a long answer", { soap: plain("<a>".repeat(10_000)) }, "malformed", /longer than 16384/],
    [
      "a redirect",
      {
        soap: () => new Response("", { status: 302, headers: { location: "http://192.0.2.1/" } }),
      },
      "malformed",
      /status 302/,
    ],
    [
      "no description",
      {
        description: () => new Response("none", { status: 404 }),
      },
      "malformed",
      /no description/,
    ],
    [
      "a description without end",
      {
        description: () => `<root>${" ".repeat(70_000)}</root>`,
      },
      "malformed",
      /longer than 65536/,
    ],
    [
      "a document type",
      {
        description: () => `<!DOCTYPE root [<!ENTITY a "b">]>${describeGateway()}`,
      },
      "malformed",
      /no description/,
    ],
    [
      "a redirected description",
      {
        description: () => Response.redirect("http://192.0.2.1/desc.xml"),
      },
      "malformed",
      /no description/,
    ],
    [
      "no WAN connection",
      {
        description: () => describeGateway("/ctl", "urn:schemas-upnp-org:service:Other:1"),
      },
      "unsupported",
      /no WAN connection/,
    ],
    [
      "control elsewhere",
      {
        description: () => describeGateway("http://192.0.2.1/ctl"),
      },
      "unsupported",
      /no WAN connection/,
    ],
    [
      "control over TLS",
      {
        description: () => describeGateway(`https://${HOST}/ctl`),
      },
      "unsupported",
      /no WAN connection/,
    ],
  ] as const
) {
  Deno.test(`createUpnpClient() gives up on ${what}`, async () => {
    await withGateway(options, async ({ client }) => {
      await assert.rejects(client.map(REQUEST), { reason, message });
    });
  });
}

Deno.test("createUpnpClient() believes nobody but the gateway", async () => {
  await using http = new HttpGateway();
  const deps = clientDeps();
  const ports: number[] = [];
  const openSocket = (local: Parameters<typeof deps.openSocket>[0]) => {
    const socket = deps.openSocket(local);
    ports.push(socket.localAddress.port);
    return socket;
  };
  // It listens where searches go and says all the right things, from another address.
  await using stranger = new UdpGateway(() => [], "127.0.0.2");
  await using ssdp = new UdpGateway(() => [
    searchAnswer("http://192.0.2.1/desc.xml"),
    searchAnswer("https://127.0.0.1/desc.xml"),
    searchAnswer("http://user@127.0.0.1/desc.xml"),
    searchAnswer(http.location, "upnp:rootdevice"),
    new TextEncoder().encode("NOTIFY * HTTP/1.1\r\n\r\n"),
  ]);
  const client = createUpnpClient({ ...deps, openSocket }, {
    searchAddress: { host: HOST, port: ssdp.port },
    isExternal,
  });
  const outcome = assert.rejects(client.map(REQUEST), { reason: "silent" });
  await ssdp.untilHeard(2);
  await stranger.send(searchAnswer(http.location), ports[0] ?? 0);
  const { counters } = deps;
  while (counters.dropped_answer_total < 10 || counters.dropped_source_total < 1) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await deps.clock.advance(1_500);
  await outcome;
  assert.equal(counters.http_requests_total, 0);
});

Deno.test("createUpnpClient() waits two seconds for HTTP, and no longer", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
  const soap = () => {
    onAsked();
    return promise;
  };
  await withGateway({ soap }, async ({ client, deps }) => {
    const outcome = assert.rejects(client.map(REQUEST), { reason: "silent", message: /2000 ms/ });
    await asked;
    await deps.clock.advance(2_000);
    await outcome;
    resolve(new Response("late"));
  });
});

Deno.test("createUpnpClient() finds a gateway again that listens elsewhere", async () => {
  await using ssdp = new UdpGateway(() => [searchAnswer(`http://${HOST}:${port}/desc.xml`)]);
  let port = 0;
  const deps = clientDeps();
  const client = createUpnpClient(deps, {
    searchAddress: { host: HOST, port: ssdp.port },
    isExternal,
  });
  {
    await using first = new HttpGateway();
    port = first.port;
    await client.map(REQUEST);
  }
  await using second = new HttpGateway();
  port = second.port;
  const mapping = await client.map(REQUEST);
  assert.equal(second.calls.length, 2);
  await client.unmap(mapping);
  await assert.rejects(client.unmap({ ...mapping, gateway: "192.168.1.1" }), { reason: "silent" });
});
