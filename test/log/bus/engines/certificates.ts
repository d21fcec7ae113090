/** Certificates for servers of tests, made by OpenSSL. */

const PATHS = ["/usr/bin/openssl", "/usr/local/bin/openssl"];

/** Files with a certificate of a server on this machine. */
export interface TestCertificates extends AsyncDisposable {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  /** PEM of the authority that signed it. */
  readonly ca: string;
}

/** True when there is an OpenSSL. */
export function hasOpenSsl(): boolean {
  return opensslPath() !== undefined;
}

/** Makes an authority and a certificate of it. */
export async function makeCertificates(): Promise<TestCertificates> {
  const folder = await Deno.makeTempDir({ prefix: "net-certificates-" });
  const run = async (...args: string[]) => {
    const openssl = new Deno.Command(opensslPath() ?? "openssl", {
      args,
      cwd: folder,
      stderr: "piped",
      stdout: "null",
    });
    const { success, stderr } = await openssl.output();
    if (!success) throw new Error(`Cannot make certificates: ${new TextDecoder().decode(stderr)}`);
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await run(
    ...["req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650"],
    ...["-subj", "/CN=authority of a test"],
  );
  await run("req", ...key, "-keyout", "key.pem", "-out", "csr.pem", "-subj", "/CN=localhost");
  const extensions = "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
  await Deno.writeTextFile(`${folder}/extensions`, extensions);
  await run(
    ...["x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
    ...["-out", "cert.pem", "-days", "3650", "-extfile", "extensions"],
  );
  return {
    certFile: `${folder}/cert.pem`,
    keyFile: `${folder}/key.pem`,
    caFile: `${folder}/ca.pem`,
    ca: await Deno.readTextFile(`${folder}/ca.pem`),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

function opensslPath(): string | undefined {
  return PATHS.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}
