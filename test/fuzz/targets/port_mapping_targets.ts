/** What gateways answer: NAT-PMP, PCP, SSDP, descriptions and SOAP, and the table of routes. */
import assert from "node:assert/strict";
import { parseDefaultRoute } from "../../../src/core/transport/port_mapping/mod.ts";
import {
  decodeNatPmpAnswer,
  type NatPmpAnswer,
} from "../../../src/core/transport/port_mapping/nat_pmp.ts";
import { decodePcpAnswer } from "../../../src/core/transport/port_mapping/pcp.ts";
import { decodeSoapAnswer, encodeSoapCall } from "../../../src/core/transport/port_mapping/soap.ts";
import { decodeSsdpAnswer } from "../../../src/core/transport/port_mapping/ssdp.ts";
import {
  findWanServices,
  gatewayUrl,
} from "../../../src/core/transport/port_mapping/upnp_description.ts";
import { parseXml, type XmlElement } from "../../../src/core/transport/port_mapping/xml.ts";
import { describeGateway, searchAnswer } from "../../core/transport/port_mapping/upnp_words.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();
const HOST = "192.168.1.1";
/** An element is a record with a list in it, made of four characters at least. */
const TREE = { factor: 96, base: 1_024 };

function natPmpTarget(): FuzzTarget {
  const corpus = [
    "0080000000000009c6336407",
    "00810000000000090fa010680000012c",
    "0081000400000009",
  ]
    .map((hex) => Uint8Array.fromHex(hex));
  const write = (answer: NatPmpAnswer, bytes: Uint8Array): void => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (answer.kind === "failure") {
      assert.deepEqual([answer.op + 128, answer.result], [bytes[1], view.getUint16(2)]);
    } else if (answer.kind === "external-address") {
      assert.equal(answer.host, bytes.subarray(8, 12).join("."));
    } else {
      assert.deepEqual(
        [answer.internalPort, answer.externalPort, answer.leaseSeconds],
        [view.getUint16(8), view.getUint16(10), view.getUint32(12)],
      );
    }
  };
  return {
    corpus,
    feed: (bytes) => {
      const answer = decodeNatPmpAnswer(bytes);
      if (answer !== undefined) write(answer, bytes);
      return answer;
    },
  };
}

function pcpTarget(): FuzzTarget {
  const mapping = new Uint8Array(60);
  mapping.set([2, 0x81, 0, 0, 0, 0, 14, 16]);
  mapping.set([9, 9, 9], 24);
  mapping[36] = 17;
  mapping.set([15, 160, 15, 161], 40);
  mapping.set([255, 255, 198, 51, 100, 7], 54);
  const refused = mapping.slice();
  refused[3] = 8;
  return {
    corpus: [mapping, refused, Uint8Array.of(0, 129, 0, 1, 0, 0, 0, 0), refused.slice(0, 24)],
    feed: (bytes) => {
      const answer = decodePcpAnswer(bytes);
      if (answer?.kind === "mapping") {
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
        assert.equal(answer.externalPort, view.getUint16(42));
        assert.deepEqual(answer.nonce, bytes.slice(24, 36));
      }
      return answer;
    },
  };
}

function ssdpTarget(): FuzzTarget {
  return {
    corpus: [
      searchAnswer(`http://${HOST}:5000/d.xml`),
      ENCODER.encode("HTTP/1.0 200\r\nST:a\r\n\r\n"),
    ],
    feed: (bytes) => {
      const answer = decodeSsdpAnswer(bytes);
      if (answer === undefined) return undefined;
      const url = gatewayUrl(answer.location, HOST);
      if (url !== undefined) assert.equal(new URL(url).host.split(":")[0], HOST);
      return answer;
    },
  };
}

function descriptionTarget(): FuzzTarget {
  return {
    corpus: [
      ENCODER.encode(describeGateway()),
      ENCODER.encode('<a b="c">&lt;&#65;<![CDATA[d]]><!-- e --></a>'),
    ],
    growth: TREE,
    feed: (bytes) => {
      const root = parseXml(DECODER.decode(bytes));
      if (root === undefined) return undefined;
      assert.ok(depthOf(root) <= 24);
      for (const { controlUrl } of findWanServices(root, `http://${HOST}/d.xml`, HOST)) {
        const url = new URL(controlUrl);
        assert.deepEqual([url.protocol, url.hostname], ["http:", HOST]);
      }
      return root;
    },
  };
}

function soapTarget(): FuzzTarget {
  const envelope = (body: string) =>
    ENCODER.encode(`<s:Envelope xmlns:s="x"><s:Body>${body}</s:Body></s:Envelope>`);
  return {
    corpus: [
      envelope("<u:GetResponse><A>1</A><B>2</B></u:GetResponse>"),
      envelope(
        "<s:Fault><detail><UPnPError><errorCode>718</errorCode></UPnPError></detail></s:Fault>",
      ),
      ENCODER.encode(encodeSoapCall("urn:a", "Get", [["A", "<b>"]])),
    ],
    growth: TREE,
    feed: (bytes) => {
      const answer = decodeSoapAnswer(DECODER.decode(bytes), "Get");
      if (answer?.kind === "fault") assert.ok(answer.description.length <= 80);
      return answer;
    },
  };
}

function routesTarget(): FuzzTarget {
  return {
    corpus: [ENCODER.encode(
      "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n" +
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n" +
        "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n",
    )],
    feed: (bytes) => parseDefaultRoute(DECODER.decode(bytes)),
  };
}

function depthOf(element: XmlElement): number {
  return 1 + Math.max(0, ...element.children.map(depthOf));
}

/** Decoders that a gateway reaches, by name. */
export const PORT_MAPPING_TARGETS: Readonly<Record<string, CreateTarget>> = {
  "gateway NAT-PMP": natPmpTarget,
  "gateway PCP": pcpTarget,
  "gateway SSDP": ssdpTarget,
  "gateway description": descriptionTarget,
  "gateway SOAP": soapTarget,
  "gateway routes": routesTarget,
};
