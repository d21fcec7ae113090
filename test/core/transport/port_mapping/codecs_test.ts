/** The codecs of port mapping: what they write, what they read, what they refuse. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  isLocalIpv4,
  isPublicIpv4,
  parseDefaultRoute,
} from "../../../../src/core/transport/port_mapping/mod.ts";
import {
  decodeNatPmpAnswer,
  describeNatPmpResult,
  encodeMapRequest,
} from "../../../../src/core/transport/port_mapping/nat_pmp.ts";
import { decodePcpAnswer, encodePcpMap } from "../../../../src/core/transport/port_mapping/pcp.ts";
import {
  decodeSoapAnswer,
  encodeSoapCall,
} from "../../../../src/core/transport/port_mapping/soap.ts";
import { decodeSsdpAnswer } from "../../../../src/core/transport/port_mapping/ssdp.ts";
import {
  findWanServices,
  gatewayUrl,
} from "../../../../src/core/transport/port_mapping/upnp_description.ts";
import { parseXml, xmlChild } from "../../../../src/core/transport/port_mapping/xml.ts";
import { describeGateway, searchAnswer } from "./upnp_words.ts";

const TEXT = new TextEncoder();

Deno.test("parseDefaultRoute() takes the default route with the smallest metric", () => {
  const heading =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT";
  const line = (name: string, gateway: string, flags: string, metric: number, mask = "00000000") =>
    `${name}\t00000000\t${gateway}\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0`;
  const text = [
    heading,
    line("wlan0", "FE01A8C0", "0003", 600),
    line("eth0", "0101A8C0", "0003", 100),
    line("down0", "0201A8C0", "0002", 1),
    line("tun0", "00000000", "0003", 1),
    line("half0", "0301A8C0", "0003", 1, "000000C0"),
    "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0",
    "",
  ].join("\n");
  assert.deepEqual(parseDefaultRoute(text), { interfaceName: "eth0", gateway: "192.168.1.1" });
  for (
    const none of ["", heading, `${heading}\nrubbish`, `${heading}\n${line("e", "xyz", "3", 1)}`]
  ) {
    assert.equal(parseDefaultRoute(none), undefined);
  }
});

Deno.test("isPublicIpv4() knows what the internet can't reach", () => {
  for (const host of ["1.1.1.1", "9.255.0.1", "100.63.0.1", "100.128.0.1", "172.32.0.1"]) {
    assert.ok(isPublicIpv4(host) && !isLocalIpv4(host), host);
  }
  for (const host of ["10.1.2.3", "127.0.0.1", "169.254.1.1", "172.16.0.1", "192.168.0.1"]) {
    assert.ok(!isPublicIpv4(host) && isLocalIpv4(host), host);
  }
  for (
    const host of ["0.0.0.0", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1"]
      .concat("203.0.113.1", "224.0.0.1", "255.255.255.255", "", "x", "::1", "1.2.3")
  ) {
    assert.ok(!isPublicIpv4(host) && !isLocalIpv4(host), host);
  }
});

Deno.test("decodeNatPmpAnswer() reads mappings and failures, and nothing cut", () => {
  const mapping = Uint8Array.fromHex("00810000000000090fa010680000012c");
  assert.deepEqual(decodeNatPmpAnswer(mapping), {
    kind: "mapping",
    epochSeconds: 9,
    internalPort: 4000,
    externalPort: 4200,
    leaseSeconds: 300,
  });
  assert.deepEqual(decodeNatPmpAnswer(Uint8Array.fromHex("0081000400000009")), {
    kind: "failure",
    op: 1,
    result: 4,
  });
  for (let length = 0; length < mapping.length; length++) {
    assert.equal(decodeNatPmpAnswer(mapping.subarray(0, length)), undefined);
  }
  assert.equal(
    decodeNatPmpAnswer(encodeMapRequest({ internalPort: 1, externalPort: 1, leaseSeconds: 1 })),
    undefined,
  );
  assert.equal(describeNatPmpResult(4), "out of resources");
  assert.equal(describeNatPmpResult(700), "result 700");
});

Deno.test("encodePcpMap() refuses what has no place in a packet", () => {
  const request = { internalPort: 1, externalPort: 1, leaseSeconds: 1 };
  const nonce = new Uint8Array(12);
  assert.throws(() => encodePcpMap({ ...request, clientHost: "::1", nonce }), RangeError);
  assert.throws(
    () => encodePcpMap({ ...request, clientHost: "10.0.0.1", nonce: new Uint8Array(11) }),
    RangeError,
  );
  // A request is no answer.
  assert.equal(
    decodePcpAnswer(encodePcpMap({ ...request, clientHost: "10.0.0.1", nonce })),
    undefined,
  );
});

Deno.test("decodeSsdpAnswer() reads answers and refuses what is doubtful", () => {
  const location = "http://192.168.1.1:5000/d.xml";
  assert.equal(decodeSsdpAnswer(searchAnswer(location))?.location, location);
  const lines = (...text: string[]) => TEXT.encode(`${text.join("\r\n")}\r\n\r\n`);
  for (
    const bytes of [
      lines("HTTP/1.1 404 Not Found", "ST: a", "LOCATION: b"),
      lines("NOTIFY * HTTP/1.1", "ST: a", "LOCATION: b"),
      lines("HTTP/1.1 200 OK", "ST: a"),
      lines("HTTP/1.1 200 OK", "LOCATION: b"),
      lines("HTTP/1.1 200 OK", "ST: a", "LOCATION: b", "location: c"),
      lines("HTTP/1.1 200 OK", "ST: a", "LOCATION: b", "no colon"),
      lines("HTTP/1.1 200 OK", "ST: a", `LOCATION: ${"b".repeat(600)}`),
      lines("HTTP/1.1 200 OK", ...Array<string>(40).fill("X: y"), "ST: a", "LOCATION: b"),
      new Uint8Array(3_000),
    ]
  ) assert.equal(decodeSsdpAnswer(bytes), undefined);
});

Deno.test("gatewayUrl() leads nowhere but to the gateway", () => {
  const host = "192.168.1.1";
  assert.equal(gatewayUrl("http://192.168.1.1:80/a", host), "http://192.168.1.1/a");
  assert.equal(gatewayUrl("/a", host, "http://192.168.1.1:5/b/c"), "http://192.168.1.1:5/a");
  for (
    const text of [
      "https://192.168.1.1/",
      "http://192.168.1.2/",
      "http://router/",
      "http://a@192.168.1.1/",
      "//192.168.1.2/a",
      "file:///etc/passwd",
      "/a#b",
      "",
      `/${"a".repeat(600)}`,
    ]
  ) {
    const base = text === "" ? undefined : "http://192.168.1.1/";
    assert.equal(gatewayUrl(text, host, base), undefined, text);
  }
});

Deno.test("findWanServices() gives the best connection first, and few", () => {
  const service = (type: string, url: string) =>
    `<service><serviceType>urn:schemas-upnp-org:service:${type}</serviceType>` +
    `<controlURL>${url}</controlURL></service>`;
  const root = parseXml(
    `<root><device><serviceList>${service("WANPPPConnection:1", "/p")}${
      service("WANIPConnection:1", "/i")
    }${service("WANIPConnection:2", "/j")}${service("WANIPConnection:1", "")}${
      service("WANIPConnection:1", "/k").repeat(9)
    }</serviceList></device></root>`,
  );
  assert.ok(root !== undefined);
  const found = findWanServices(root, "http://10.0.0.1/d", "10.0.0.1");
  assert.deepEqual(found.map(({ controlUrl }) => new URL(controlUrl).pathname), [
    "/j",
    "/i",
    "/k",
    "/k",
  ]);
  assert.deepEqual(findWanServices({ name: "r", children: [], text: "" }, "http://a", "a"), []);
});

Deno.test("parseXml() reads what gateways write", () => {
  const root = parseXml(
    '\ufeff<?xml version="1.0"?>\r\n<!-- a --><s:a x="1" y=\'2\' ><b/><c> &lt;&#x41;&#66;&amp;<![CDATA[<d>]]></c></s:a>\n\0',
  );
  assert.equal(root?.name, "a");
  assert.equal(xmlChild(root, "c")?.text, "<AB&<d>");
  assert.equal(xmlChild(root, "b", "z"), undefined);
  assert.equal(
    xmlChild(parseXml(describeGateway()), "device", "deviceList", "device")?.children.length,
    2,
  );
});

Deno.test("parseXml() refuses what is not well formed, and what grows", () => {
  for (
    const text of [
      "",
      "a",
      "<a>",
      "</a>",
      "<a></b>",
      "<a><b></a></b>",
      "<a/><b/>",
      "<a/>b",
      "<a b></a>",
      "<a b=c></a>",
      '<a b="<"></a>',
      '<a b="1"c="2"></a>',
      "<a>&unknown;</a>",
      "<a>&#0;</a>",
      "<a>&#xd800;</a>",
      "<a>& b</a>",
      "<a>&amp</a>",
      "<a>\u0001</a>",
      "<!DOCTYPE a><a/>",
      '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
      "<?php a?><a/>",
      "<a><?b c?></a>",
      "<a><!-- </a>",
      "<![CDATA[a]]>",
      "<a><![CDATA[</a>",
      "<a".repeat(20_000),
      `${"<a>".repeat(30)}${"</a>".repeat(30)}`,
      `<a>${"<b/>".repeat(3_000)}</a>`,
      `<a ${"b='c' ".repeat(40)}/>`,
    ]
  ) assert.equal(parseXml(text), undefined, text.slice(0, 40));
});

Deno.test("encodeSoapCall() writes what parseXml() reads, whatever the values", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (value) => {
    // XML has no way to write control characters, and its readers fold line ends and trim here.
    // deno-lint-ignore no-control-regex -- control characters are what is left out
    const plain = value.replace(/[\u0000-\u001f\ufffe\uffff]/g, "").trim();
    const root = parseXml(encodeSoapCall("urn:a", "Do", [["X", plain]]));
    assert.equal(xmlChild(root, "Body", "Do", "X")?.text, plain);
  }));
});

Deno.test("decodeSoapAnswer() tells values, faults and everything else apart", () => {
  const envelope = (body: string) =>
    `<e:Envelope xmlns:e="x"><e:Body>${body}</e:Body></e:Envelope>`;
  const fault = (code: string) =>
    envelope(
      `<e:Fault><detail><UPnPError><errorCode>${code}</errorCode><errorDescription>a\tb${
        "c".repeat(99)
      }</errorDescription></UPnPError></detail></e:Fault>`,
    );
  const values = decodeSoapAnswer(envelope("<u:GetResponse><A>1</A></u:GetResponse>"), "Get");
  assert.deepEqual(values, { kind: "values", values: new Map([["A", "1"]]) });
  const refused = decodeSoapAnswer(fault("718"), "Get");
  assert.ok(refused?.kind === "fault" && refused.code === 718);
  assert.equal(refused.description.length, 80);
  assert.match(refused.description, /^a b/);
  for (
    const text of [
      "",
      fault("x"),
      fault("1234567"),
      envelope("<u:OtherResponse/>"),
      envelope("<e:Fault/>"),
      "<Body><GetResponse/></Body>",
    ]
  ) assert.equal(decodeSoapAnswer(text, "Get"), undefined);
});
