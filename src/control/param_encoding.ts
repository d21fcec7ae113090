/**
 * Binary parameters in another encoding than ours (`validation.md` 2): a member `X_encoding` beside `X` says
 * how `X` is written, and methods see the standard Base64 that they expect.
 *
 * Only the parameters themselves are looked at: what lies deeper may be somebody's data, with names of its own.
 */
import { fromHex, NetError, utf8 } from "../base/mod.ts";

const SUFFIX = "_encoding";

type Fields = Readonly<Record<string, unknown>>;

/**
 * Parameters with every hint followed and taken out; the same object when there is none.
 *
 * @throws NetError `usage` when a hint names no encoding, or its member is not written in it.
 */
export function decodeParams(fields: Fields): Fields {
  const hints = Object.keys(fields).filter((key) =>
    // A member of such a name that belongs to no other is the method's own.
    key.endsWith(SUFFIX) && Object.hasOwn(fields, key.slice(0, -SUFFIX.length))
  );
  if (hints.length === 0) return fields;
  const decoded: Record<string, unknown> = { ...fields };
  for (const hint of hints) {
    const name = hint.slice(0, -SUFFIX.length);
    decoded[name] = toBase64(name, fields[name], fields[hint]);
    delete decoded[hint];
  }
  return decoded;
}

function toBase64(name: string, value: unknown, encoding: unknown): string {
  if (typeof value !== "string") throw wrong(name, "it must be a text where its encoding is given");
  switch (encoding) {
    case "base64":
      return value;
    case "none":
    case "utf8":
      return utf8(value).toBase64();
    case "hex": {
      const bytes = fromHex(value);
      if (bytes === undefined) throw wrong(name, "it is not hex");
      return bytes.toBase64();
    }
    case "base64url":
      try {
        return Uint8Array.fromBase64(value, { alphabet: "base64url" }).toBase64();
      } catch {
        throw wrong(name, "it is not base64url");
      }
    default:
      throw wrong(name, "its encoding must be base64, base64url, hex, utf8 or none");
  }
}

function wrong(name: string, reason: string): NetError {
  return new NetError("usage", `Invalid params: member "${name.slice(0, 64)}": ${reason}`, {
    next: "write binary members in Base64, or say how in a member of the same name with _encoding",
  });
}
