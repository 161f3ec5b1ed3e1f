// Checks a proof of verifyd in Node (18 or newer): copy `proofs` into your application.
//
//     npm install --prefix examples/proofs
//     node examples/proofs/verify.mjs --keys http://127.0.0.1:8080/.well-known/jwks.json \
//         --issuer http://127.0.0.1:8080 --audience VA... --purpose login --nonce n-1 < proof.txt
//
// Prints the claims and exits with 0, or says on standard error why not and exits with 1. The proof comes by standard input,
// since command lines can be read by others on the machine.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { createRemoteJWKSet, jwtVerify } from "jose";

/**
 * Checks proofs of one issuer for one service. Keep what it returns: it caches the keys and fetches them again for a new one.
 * A key is looked up among these only: `jwk`, `jku` and `x5u` of a header are never followed.
 */
export function proofs({ keysUrl, issuer, audience }) {
  const keys = createRemoteJWKSet(new URL(keysUrl), { cacheMaxAge: 300_000, timeoutDuration: 5_000 });
  /** The claims of a good proof. `purpose` and `nonce` are what you gave at the start of this very verification. */
  return async function check(proof, { purpose, nonce } = {}) {
    const { payload } = await jwtVerify(proof, keys, {
      algorithms: ["EdDSA"],
      typ: "phone-proof+jwt",
      issuer,
      audience,
      clockTolerance: 5,
      requiredClaims: ["sub", "iat", "exp", "jti", "verification_id"],
    });
    for (const [name, expected] of Object.entries({ purpose, nonce })) {
      // Also where none is expected: a proof for one purpose is none for another.
      if (payload[name] !== expected) throw new Error(`another ${name}`);
    }
    return payload;
  };
}

async function main() {
  const text = { type: "string" };
  const { values } = parseArgs({ options: { keys: text, issuer: text, audience: text, purpose: text, nonce: text } });
  for (const name of ["keys", "issuer", "audience"]) {
    if (!values[name]) throw new Error(`--${name} is missing`);
  }
  const check = proofs({ keysUrl: values.keys, issuer: values.issuer, audience: values.audience });
  console.log(JSON.stringify(await check(readFileSync(0, "utf8").trim(), values)));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  main().catch((error) => {
    console.error(`refused: ${error.message}`);
    process.exitCode = 1;
  });
}
